"""MM-Pyramid's network and loss against golden numbers of the public code."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import LossWeights, Targets, pooled_loss, smooth_labels
from rlld_gym.parsing.networks import ParsingOutput, make_network
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    golden_network,
    labels,
    prob,
    standard_inputs,
)


def test_outputs_are_those_of_the_public_code():
    for name, actual in golden_network("mm_pyramid")(*standard_inputs())._asdict().items():
        assert_golden(actual, f"mm_pyramid_{name}")


def test_parity_notices_an_open_mask():
    network = golden_network("mm_pyramid")
    network.levels[3].radius = 9
    with pytest.raises(AssertionError):
        assert_golden(network(*standard_inputs()).segment, "mm_pyramid_segment", 2e-4)


@pytest.mark.long
def test_parity_notices_streams_of_their_own():
    network = golden_network("mm_pyramid", swapped=False)
    with pytest.raises(AssertionError):
        assert_golden(network(*standard_inputs()).segment, "mm_pyramid_segment", 2e-4)


def test_loss_is_that_of_the_public_code():
    output = ParsingOutput(*(prob((8, 25), name) for name in ("global", "a_prob", "v_prob")), torch.empty(0))
    y = labels((8, 25), "y")
    loss = pooled_loss(output, Targets(y, y, smooth_labels(y, 0.9)), LossWeights())
    assert_golden_loss(loss, "mm_pyramid_loss_total")


def test_layers_start_as_copies():
    network = make_network("mm_pyramid", audio_size=4, visual_2d_size=4, visual_3d_size=4, hidden_size=8)
    layer, other = network.levels[0].cross, network.levels[2].audio_self
    assert torch.equal(layer.query.weight, layer.out.weight)
    assert torch.equal(layer.feedforward.inner.weight, other.feedforward.inner.weight)
    assert not torch.equal(layer.query.weight, other.query.weight)
    assert torch.equal(network.audio_fusion.layer.key.weight, network.visual_fusion.layer.key.weight)


def test_refuses_one_modality_alone():
    network = make_network("mm_pyramid", audio_size=4, visual_2d_size=4, visual_3d_size=4, hidden_size=8)
    with pytest.raises(InputError, match="without cross attention"):
        network(*[torch.zeros(2, 10, 4)] * 3, cross_attention=False)
