"""Richness of segments and classes, labels that are turned over, and the objective on them."""

import numpy as np
import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import Targets, pooled_loss
from rlld_gym.parsing.networks import HAN
from rlld_gym.parsing.objectives import StepContext, make_objective
from rlld_gym.parsing.objectives.richness import flipped, richness, richness_loss
from rlld_gym.parsing.recipes import get_recipe


def random_case(seed=0, videos=3, segments=10, classes=4):
    generator = torch.Generator().manual_seed(seed)
    video = (torch.rand(videos, classes, generator=generator) < 0.6).float()
    video[0] = 0.0
    pseudo = (torch.rand(videos, segments, classes, generator=generator) < 0.5).float() * video[:, None]
    return pseudo, torch.rand(videos, segments, classes, generator=generator), video


def test_richness_counts_labels():
    pseudo, _, video = random_case()
    found = richness(pseudo, video)
    for v in range(3):
        for t in range(10):
            known = video[v].sum()
            expected = float(pseudo[v, t].sum() / known) if known else 0.0
            assert float(found.category[v, t]) == pytest.approx(expected)
        for c in range(4):
            assert float(found.segment[v, c]) == pytest.approx(float(pseudo[v, :, c].sum()) / 10)


def test_loss_is_least_where_the_shares_agree():
    pseudo, probabilities, video = random_case()
    probabilities.requires_grad_()
    loss = richness_loss(probabilities, pseudo, video)
    (gradient,) = torch.autograd.grad(loss, probabilities)
    better = richness_loss((probabilities - 0.1 * gradient).detach().clamp(0, 1), pseudo, video)
    assert richness_loss(pseudo, pseudo, video) < better < loss


def naive_flipped(pseudo, probabilities, video, smallest, ratio):
    pseudo, probabilities, video = (part.double().numpy() for part in (pseudo, probabilities, video))
    result = pseudo.copy()
    for v in range(len(pseudo)):
        for c in np.flatnonzero(video[v]):
            losses = -np.log(
                np.where(pseudo[v, :, c] == 1, probabilities[v, :, c], 1 - probabilities[v, :, c])
            )
            usual = np.mean(sorted(losses)[:smallest])
            for t in np.flatnonzero(losses > ratio * usual):
                if (probabilities[v, t, c] >= 0.5) != (pseudo[v, t, c] == 1):
                    result[v, t, c] = 1 - pseudo[v, t, c]
    return torch.from_numpy(result)


@pytest.mark.parametrize(("smallest", "ratio"), [(1, 2.0), (5, 1.5), (5, 5.0), (30, 3.0)])
def test_flips_abnormal_losses_as_a_naive_loop_does(smallest, ratio):
    case = random_case(seed=smallest)
    found = flipped(*case, smallest=smallest, ratio=ratio)
    assert torch.equal(found.double(), naive_flipped(*case, smallest, ratio))
    assert not torch.equal(found, case[0]) or ratio == 5.0


def test_flips_neither_unlabelled_classes_nor_trifles():
    pseudo, video = torch.zeros(1, 10, 2), torch.tensor([[1.0, 0.0]])
    pseudo[0, :, 0] = 1.0
    probabilities = torch.full((1, 10, 2), 0.99)
    probabilities[0, 3, 0] = 0.8  # twenty times the usual loss, but on the same side
    assert torch.equal(flipped(pseudo, probabilities, video), pseudo)
    probabilities[0, 3, 0] = 0.05
    assert flipped(pseudo, probabilities, video)[0, :, 0].tolist() == [1, 1, 1, 0, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("options", [{"smallest": 0}, {"ratio": 1.0}])
def test_flipping_options_are_checked(options):
    with pytest.raises(InputError, match=next(iter(options))):
        flipped(*random_case(), **options)


def small_step():
    sizes = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 4, "num_classes": 3, "hidden_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = HAN(**sizes).eval()
        batch = tuple(torch.randn(4, 10, size) for size in (5, 6, 4))
        targets = Targets(*(torch.rand(3, 4, 3) < 0.5).float())
        teachers = ((torch.rand(4, 10, 3) < 0.5).float(), (torch.rand(4, 10, 3) < 0.5).float())
    return network, batch, targets, teachers


def test_objective_adds_richness_to_the_pooled_loss():
    network, batch, targets, teachers = small_step()
    recipe = get_recipe("rlld").replace(objective="segment_pseudo_labels")
    loss = make_objective(recipe).loss(network, batch, targets, StepContext(teachers=teachers))
    output = network(*batch)
    expected = pooled_loss(output, targets, recipe.loss_weights)
    shares = []
    for modality, (teacher, target) in enumerate(zip(teachers, targets[1:], strict=True)):
        pseudo = teacher * target[:, None]
        shares.append(richness_loss(output.segment[:, :, modality], pseudo, target))
    torch.testing.assert_close(loss, expected + 0.5 * (shares[0] + shares[1]) / 2)


def test_objective_needs_teachers():
    network, batch, targets, _ = small_step()
    recipe = get_recipe("rlld").replace(objective="segment_pseudo_labels")
    with pytest.raises(InputError, match="needs segment-level teachers"):
        make_objective(recipe).loss(network, batch, targets, StepContext())
