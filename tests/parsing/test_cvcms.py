"""CVCMS's network and losses against golden numbers of the public code."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import ParsingOutput, make_network
from rlld_gym.parsing.objectives import StepContext, make_objective
from rlld_gym.parsing.objectives.cvcms import cross_modal_loss, draw_partners, with_mixed
from rlld_gym.parsing.recipes import get_recipe
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
    network, inputs = golden_network("cvcms"), standard_inputs()
    for name, actual in network(*inputs)._asdict().items():
        assert_golden(actual, f"cvcms_{name}")


def test_similarity_of_mixed_videos_is_that_of_the_public_code():
    network, partners = golden_network("cvcms"), torch.tensor([1, 2, 3, 0])
    audio_labels, visual_labels = (labels((4, 25), f"cvcms_{name}_labels", 9) for name in ("audio", "visual"))
    sequences = network.encode(*with_mixed(tuple(standard_inputs()), partners))
    audio, visual = network.summaries(
        sequences,
        torch.cat((audio_labels, audio_labels)),
        torch.cat((visual_labels, visual_labels[partners])),
    )
    assert_golden(audio @ visual.mT, "cvcms_similarity")


def test_parity_notices_swapped_class_branches():
    network = golden_network("cvcms")
    network.audio_classes, network.visual_classes = network.visual_classes, network.audio_classes
    with pytest.raises(AssertionError):
        assert_golden(network(*standard_inputs()).segment, "cvcms_segment", 1e-4)


def test_losses_are_those_of_the_public_code():
    y_audio, y_visual = labels((8, 25), "audio_labels"), labels((8, 25), "visual_labels")
    cross = cross_modal_loss(
        fill((16, 16), "golden/similarity16", 3),
        torch.cat((y_audio, y_audio)),
        torch.cat((y_visual, y_visual.roll(-1, 0))),
    )
    assert_golden_loss(cross, "cvcms_loss_cross_modal")
    output = ParsingOutput(
        *(prob((16, 25), f"{name}16")[:8] for name in ("global", "a_prob", "v_prob")), torch.empty(0)
    )
    targets = Targets(torch.maximum(y_audio, y_visual), y_audio, y_visual)
    objective = make_objective(get_recipe("cvcms"))
    assert_golden_loss(objective.pooled(output, targets, 2), "cvcms_loss_total_epoch2")
    assert_golden_loss(objective.pooled(output, targets, 3) + 0.85 * cross, "cvcms_loss_total_epoch3")


def test_a_partner_is_another_video():
    torch.manual_seed(0)
    drawn = torch.stack([draw_partners(5, torch.device("cpu")) for _ in range(300)])
    assert not (drawn == torch.arange(5)).any()
    assert all(set(drawn[:, video].tolist()) == set(range(5)) - {video} for video in range(5))


def test_the_cross_modal_term_begins_with_the_third_epoch():
    torch.manual_seed(0)
    sizes = {"audio_size": 4, "visual_2d_size": 5, "visual_3d_size": 3, "num_classes": 3}
    network = make_network("cvcms", **sizes, hidden_size=8).eval()
    batch = torch.randn(6, 10, 4), torch.randn(6, 10, 5), torch.randn(6, 10, 3)
    y = (torch.rand(6, 3) < 0.5).float()
    objective = make_objective(get_recipe("cvcms"))
    losses = [objective.loss(network, batch, Targets(y, y, y), StepContext(epoch)) for epoch in (2, 3)]
    pooled = [objective.pooled(network(*batch), Targets(y, y, y), epoch) for epoch in (2, 3)]
    torch.testing.assert_close(losses[0], pooled[0])
    assert losses[1] > pooled[1] + 0.1


def test_refuses_other_networks():
    network = make_network("han", audio_size=4, visual_2d_size=5, visual_3d_size=3, hidden_size=8)
    objective = make_objective(get_recipe("cvcms"))
    with pytest.raises(InputError, match="trains a CVCMS, found a HAN"):
        objective.loss(network, (torch.zeros(0),) * 3, Targets(*[torch.zeros(0)] * 3), StepContext())
