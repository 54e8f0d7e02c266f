"""MGN's network and loss against golden numbers of the public code."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import LossWeights, Targets, pooled_loss, smooth_labels
from rlld_gym.parsing.networks import ParsingOutput, make_network
from rlld_gym.parsing.networks.parts.grouping import Grouping
from rlld_gym.parsing.objectives.mgn import token_loss
from tests.parsing.golden_networks import fill
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    golden_network,
    labels,
    prob,
    standard_inputs,
)


def test_outputs_are_those_of_the_public_code():
    network, inputs = golden_network("mgn"), standard_inputs()
    for name, actual in network(*inputs)._asdict().items():
        assert_golden(actual, f"mgn_{name}")
    for modality, logits in zip(("audio", "visual"), network.token_logits(), strict=True):
        assert_golden(logits, f"mgn_{modality}_token_logits")


def test_parity_notices_a_soft_renewal():
    network = golden_network("mgn")
    network.audio_transformer.renewal.hard = False
    with pytest.raises(AssertionError):
        assert_golden(network(*standard_inputs()).segment, "mgn_segment", 1e-4)


def test_loss_is_that_of_the_public_code():
    output = ParsingOutput(*(prob((8, 25), name) for name in ("global", "a_prob", "v_prob")), torch.empty(0))
    y = labels((8, 25), "y")
    tokens = [fill((25, 25), f"golden/{name}_token_logits", 2) for name in ("audio", "visual")]
    loss = pooled_loss(output, Targets(y, y, smooth_labels(y, 0.9)), LossWeights()) + token_loss(tokens)
    assert_golden_loss(loss, "mgn_loss_total")


def test_hard_assignment_chooses_one_group_and_lets_a_gradient_through():
    torch.manual_seed(0)
    grouping = Grouping(8, 3, 2, hard=True)
    logits = torch.randn(2, 3, 5, requires_grad=True)
    chosen = grouping._hard(logits, logits.softmax(-2))
    torch.testing.assert_close(chosen.sum(-2), torch.ones(2, 5))
    assert chosen.detach().round(decimals=5).unique().tolist() == [0, 1]
    chosen[0, 0, 0].backward()
    assert logits.grad.any()
    others = [grouping._hard(logits, logits.softmax(-2)) for _ in range(20)]
    assert not all(torch.equal(other.round(), chosen.round()) for other in others)
    grouping.eval()
    assert torch.equal(grouping._hard(logits, logits.softmax(-2)).argmax(-2), logits.argmax(-2))


def test_refuses_what_it_cannot_do():
    network = make_network(
        "mgn", audio_size=4, visual_2d_size=4, visual_3d_size=4, num_classes=3, hidden_size=8
    )
    features = [torch.zeros(2, 10, 4)] * 3
    with pytest.raises(InputError, match="without cross attention"):
        network(*features, cross_attention=False)
    with pytest.raises(InputError, match="built for 10 segments, found 9"):
        network(*(part[:, :9] for part in features))
