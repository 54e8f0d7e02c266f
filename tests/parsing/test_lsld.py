"""LSLD: parity of the network and of its loss, and that depth and shared parts matter."""

import pytest
import torch

from rlld_gym.parsing.losses import LossWeights, Targets
from rlld_gym.parsing.networks import LSLD, ParsingOutput
from rlld_gym.parsing.networks.han import HANLayers
from rlld_gym.parsing.objectives import StepContext, make_objective
from rlld_gym.parsing.objectives.lsld import soft_segment_loss
from rlld_gym.parsing.recipes import get_recipe
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    golden_network,
    golden_zoo,
    labels,
    prob,
    zoo_inputs,
)


def lsld_inputs():
    audio, visual = zoo_inputs(("lsld_audio", (4, 10, 512)), ("lsld_visual", (4, 80, 512)))
    return audio, visual, torch.zeros(4, 10, 0, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_agrees_with_the_public_network(dtype):
    network = golden_network("lsld").to(dtype)
    with torch.no_grad():
        output = network(*(part.to(dtype) for part in lsld_inputs()))
    for name, part in output._asdict().items():
        assert_golden(part, f"lsld_{name}", tolerance=5e-6 if dtype == torch.float64 else 2e-5)


def test_parity_notices_layers_in_another_order_or_without_cross_attention():
    network = golden_network("lsld")
    network.layers = HANLayers(reversed(network.layers))
    with torch.no_grad():
        reordered = network(*lsld_inputs()).segment
        unimodal = golden_network("lsld")(*lsld_inputs(), cross_attention=False).segment
    for segment in (reordered, unimodal):
        assert float((segment - torch.from_numpy(golden_zoo()["lsld_segment"])).abs().max()) > 1e-3


def test_has_the_published_number_of_parameters():
    assert sum(parameter.numel() for parameter in LSLD().parameters()) == 11078219


def test_golden_loss():
    y, segment, video = labels((8, 25), "y"), prob((8, 10, 2, 25), "segment"), prob((8, 25), "global")
    audio = labels((8, 10, 25), "audio_segment_labels")
    visual = labels((8, 10, 25), "visual_segment_labels") * prob((8, 10, 25), "soft")
    output = ParsingOutput(video, video, video, segment)
    loss = soft_segment_loss(output, torch.stack((audio, visual), 2), y, get_recipe("lsld").loss_weights)
    assert_golden_loss(loss, "lsld_loss_total")


def test_objective_counts_a_teachers_segments_for_kept_labels_only():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = LSLD(5, 6, 0, num_classes=3, hidden_size=8).eval()
        batch = (torch.randn(2, 10, 5), torch.randn(2, 80, 6), torch.zeros(2, 10, 0))
        teachers = (torch.rand(2, 10, 3), torch.rand(2, 10, 3))
    kept = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    removed = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    targets = Targets(kept, kept, removed)
    loss = make_objective(get_recipe("lsld")).loss(network, batch, targets, StepContext(teachers=teachers))
    wanted = torch.stack((teachers[0] * kept[:, None], teachers[1] * removed[:, None]), 2)
    torch.testing.assert_close(
        loss, soft_segment_loss(network(*batch), wanted, kept, LossWeights(1.0, 3.0, 1.0))
    )
