"""CMPAE: parity of the network and of its losses, gradients through stop-gradients, what the head sees."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import (
    Targets,
    contrastive_loss_jomold,
    contrastive_similarity,
    pooled_loss,
    smooth_labels,
)
from rlld_gym.parsing.networks import CMPAE, HAN, ParsingOutput
from rlld_gym.parsing.networks.cmpae import Uncertainty
from rlld_gym.parsing.networks.parts import evidence as evidence_module
from rlld_gym.parsing.objectives import StepContext, make_objective
from rlld_gym.parsing.objectives.cmpae import mutual_loss
from rlld_gym.parsing.recipes import get_recipe
from tests.parsing.golden_networks import fill
from tests.parsing.golden_zoo import (
    assert_golden,
    assert_golden_loss,
    golden_network,
    golden_zoo,
    labels,
    prob,
    standard_inputs,
)

PASSES = pytest.mark.parametrize(("prefix", "cross_attention"), [("cross", True), ("unimodal", False)])
POOLED = ("global", "a_prob", "v_prob", "audio_uncertainty", "visual_uncertainty")


@pytest.fixture(scope="module")
def network():
    return golden_network("cmpae")


@PASSES
def test_agrees_with_the_public_network(network, prefix, cross_attention):
    with torch.no_grad():
        sequences = network.encode(*standard_inputs(), cross_attention=cross_attention)
        output, uncertainty = network.weigh(*sequences)
    for name, part in output._asdict().items():
        assert_golden(part, f"cmpae_{prefix}_{name}")
    for name, part in uncertainty._asdict().items():
        assert_golden(part, f"cmpae_{prefix}_{name}_uncertainty")
    similarity = contrastive_similarity(*network.compared(*sequences))
    assert_golden(similarity, f"cmpae_{prefix}_similarity")


def test_single_precision_agrees_too(network):
    with torch.no_grad():
        output = golden_network("cmpae", fused_share=1.0).float()(*(x.float() for x in standard_inputs()))
    for name, part in output._asdict().items():
        assert_golden(part, f"cmpae_cross_{name}", tolerance=2e-5)


def test_evaluation_fuses_both_passes(network):
    with torch.no_grad():
        output = network(*standard_inputs())
    for name, part in output._asdict().items():
        across, alone = (torch.from_numpy(golden_zoo()[f"cmpae_{p}_{name}"]) for p in ("cross", "unimodal"))
        torch.testing.assert_close(part, (0.7 * across + 0.3 * alone).double(), rtol=0, atol=1e-6)


def largest_deviation(network):
    with torch.no_grad():
        output = network.head(*network.encode(*standard_inputs()))
    return max(
        float((part - torch.from_numpy(golden_zoo()[f"cmpae_cross_{name}"])).abs().max())
        for name, part in output._asdict().items()
    )


def test_parity_notices_swapped_parts(network, monkeypatch):
    assert largest_deviation(network) < 1e-6
    other = golden_network("cmpae", mixing=1.0)
    assert largest_deviation(other) > 1e-4
    swapped = golden_network("cmpae")
    swapped.pooling.audio_context, swapped.pooling.visual_context = (
        swapped.pooling.visual_context,
        swapped.pooling.audio_context,
    )
    assert largest_deviation(swapped) > 1e-4
    monkeypatch.setattr(evidence_module, "EVIDENCE_TEMPERATURE", 1.0)
    assert largest_deviation(network) > 1e-3


def test_has_the_published_number_of_parameters():
    assert sum(parameter.numel() for parameter in CMPAE().parameters()) == 5383293


def golden_parts():
    parts = {name: prob((8, 25), name).requires_grad_() for name in POOLED}
    parts["video_uncertainty"] = (0.8 + fill((8,), "golden/video_uncertainty", 0.19)).requires_grad_()
    empty = torch.zeros(8, 10, 2, 25)
    output = ParsingOutput(parts["global"], parts["a_prob"], parts["v_prob"], empty)
    uncertainty = Uncertainty(
        parts["video_uncertainty"], parts["audio_uncertainty"], parts["visual_uncertainty"], empty
    )
    return parts, output, uncertainty


@pytest.mark.parametrize(("parity", "number"), [("even", 0), ("odd", 1), ("even", 6), ("odd", 7)])
def test_golden_mutual_loss_and_its_gradients(parity, number):
    parts, output, uncertainty = golden_parts()
    loss = mutual_loss(output, uncertainty, labels((8, 25), "y"), number)
    assert_golden_loss(loss, f"cmpae_loss_mutual_{parity}")
    gradients = torch.autograd.grad(loss, list(parts.values()), allow_unused=True)
    for (name, part), gradient in zip(parts.items(), gradients, strict=True):
        found = torch.zeros_like(part) if gradient is None else gradient
        assert_golden_loss(found, f"cmpae_loss_mutual_{parity}_gradient_{name}")


@pytest.mark.parametrize(("parity", "number"), [("even", 0), ("odd", 1)])
def test_golden_total(parity, number):
    _, output, uncertainty = golden_parts()
    y = labels((8, 25), "y")
    contrastive = contrastive_loss_jomold(fill((80, 10), "golden/similarity", 4))
    assert_golden_loss(contrastive, "cmpae_loss_similarity")
    recipe = get_recipe("cmpae")
    total = pooled_loss(output, Targets(y, y, smooth_labels(y, 0.9)), recipe.loss_weights)
    total = total + recipe.contrastive_weight * contrastive + mutual_loss(output, uncertainty, y, number)
    assert_golden_loss(total, f"cmpae_loss_total_{parity}")


def small_step():
    generator = torch.Generator().manual_seed(0)
    sizes = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 4, "num_classes": 3, "hidden_size": 8}
    batch = tuple(torch.randn(4, 10, size, generator=generator) for size in (5, 6, 4))
    targets = Targets(*((torch.rand(3, 4, 3, generator=generator) < 0.5).float()))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CMPAE(**sizes).eval(), batch, targets


def test_objective_is_the_sum_of_its_terms():
    network, batch, targets = small_step()
    recipe = get_recipe("cmpae")
    loss = make_objective(recipe).loss(network, batch, targets, StepContext(number=3))
    sequences = network.encode(*batch)
    output, uncertainty = network.weigh(*sequences)
    similarity = contrastive_similarity(*network.compared(*sequences), recipe.temperature)
    expected = (
        pooled_loss(output, targets, recipe.loss_weights)
        + contrastive_loss_jomold(similarity)
        + mutual_loss(output, uncertainty, targets.video, 3)
    )
    torch.testing.assert_close(loss, expected)


def test_objective_refuses_another_network():
    _, batch, targets = small_step()
    han = HAN(audio_size=5, visual_2d_size=6, visual_3d_size=4, num_classes=3, hidden_size=8)
    with pytest.raises(InputError, match="trains a CMPAE, found a HAN"):
        make_objective(get_recipe("cmpae")).loss(han, batch, targets, StepContext())


def test_frames_meet_the_activation_before_their_mean():
    network, (audio, _, visual_3d), _ = small_step()
    frames = torch.randn(4, 80, 6, generator=torch.Generator().manual_seed(1))
    stem = network.stem
    _, visual = stem(audio, frames, visual_3d)
    elu = torch.nn.functional.elu
    by_frame = elu(stem.visual_2d(frames)).view(4, 10, 8, 8).mean(2)
    expected = elu(stem.fusion(torch.cat((by_frame, elu(stem.visual_3d(visual_3d))), -1)))
    torch.testing.assert_close(visual, expected)


def test_runs_without_clip_features_and_says_when_there_should_be_none():
    network = CMPAE(audio_size=5, visual_2d_size=6, visual_3d_size=0, num_classes=3, hidden_size=8)
    audio, visual = torch.randn(2, 10, 5), torch.randn(2, 10, 6)
    assert network(audio, visual, torch.zeros(2, 10, 0)).segment.shape == (2, 10, 2, 3)
    with pytest.raises(InputError, match=r"0 \(visual 3D\); found .* 4 \(visual 3D\)"):
        network(audio, visual, torch.zeros(2, 10, 4))
    with pytest.raises(ValueError, match="expected 0"):
        network.encode(audio, visual, torch.zeros(2, 10, 4))
