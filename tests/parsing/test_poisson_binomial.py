"""The law of the number of positive segments against enumeration, and the loss on it."""

from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import Targets, pooled_loss
from rlld_gym.parsing.networks import HAN
from rlld_gym.parsing.objectives import StepContext, make_objective
from rlld_gym.parsing.objectives.poisson_binomial import count_loss, minimum_counts
from rlld_gym.parsing.objectives.segment_counts import (
    log_at_least,
    log_count_probabilities,
    posterior_counts,
)
from rlld_gym.parsing.recipes import get_recipe

PROBABILITIES = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=7)


def enumerated(probabilities):
    """Return P(N = n) by adding up all 2^T outcomes."""
    found = [0.0] * (len(probabilities) + 1)
    for outcome in product((0, 1), repeat=len(probabilities)):
        chance = 1.0
        for positive, probability in zip(outcome, probabilities, strict=True):
            chance *= probability if positive else 1 - probability
        found[sum(outcome)] += chance
    return torch.tensor(found, dtype=torch.float64)


@settings(max_examples=60, deadline=None)
@given(PROBABILITIES)
def test_recursion_agrees_with_enumeration(probabilities):
    segment = torch.tensor(probabilities, dtype=torch.float64)
    counts = log_count_probabilities(segment)
    torch.testing.assert_close(counts.exp(), enumerated(probabilities), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(log_count_probabilities(segment.flip(0)), counts, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(PROBABILITIES, st.data())
def test_tails_and_posteriors_agree_with_enumeration(probabilities, data):
    least = data.draw(st.integers(0, len(probabilities)))
    counts = log_count_probabilities(torch.tensor(probabilities, dtype=torch.float64))
    expected = enumerated(probabilities)
    tail = expected[least:].sum()
    wanted = torch.cat((torch.zeros(least, dtype=torch.float64), expected[least:])) / tail
    least = torch.tensor(least)
    torch.testing.assert_close(log_at_least(counts, least), tail.log(), rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(posterior_counts(counts, least), wanted, rtol=1e-8, atol=1e-12)


def test_certain_segments_stay_finite_with_their_gradients():
    segment = torch.tensor([[1.0] * 10, [0.0] * 10, [0.0, 1.0] * 5], requires_grad=True)
    for labels in (torch.ones(3), torch.zeros(3)):
        loss = count_loss(segment, labels, boldness=0.5, rounds=2)
        (gradient,) = torch.autograd.grad(loss, segment)
        assert loss.isfinite()
        assert gradient.isfinite().all()


def test_a_count_of_one_is_the_usual_constraint():
    segment = torch.rand(4, 3, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.tensor([[1.0, 0.0, 1.0]]).double().expand(4, 3)
    none = (1 - segment).prod(-1)
    expected = torch.nn.functional.binary_cross_entropy(1 - none, labels)
    torch.testing.assert_close(count_loss(segment, labels, boldness=0.0, rounds=3), expected)


def test_gradient_is_that_of_the_lower_bound_with_the_exact_posterior():
    segment = torch.rand(5, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    segment.requires_grad_()
    least = torch.tensor([1, 2, 3, 5, 10])
    counts = log_count_probabilities(segment)
    (direct,) = torch.autograd.grad(log_at_least(counts, least).sum(), segment)
    counts = log_count_probabilities(segment)
    posterior = posterior_counts(counts, least).detach()
    (bound,) = torch.autograd.grad((posterior * counts).sum(), segment)
    torch.testing.assert_close(direct, bound)


def test_minimum_rises_with_what_the_parser_sees_and_from_round_to_round():
    segment = torch.stack([torch.full((10,), p) for p in (0.05, 0.3, 0.9)])
    counts = log_count_probabilities(segment)
    rounds = [minimum_counts(counts, boldness=0.8, rounds=r) for r in range(5)]
    assert rounds[0].tolist() == [1, 1, 1]
    assert all(bool((later >= earlier).all()) for earlier, later in pairwise(rounds))
    assert rounds[-1].tolist() == sorted(rounds[-1].tolist())
    assert rounds[-1][-1] >= 7
    assert bool((rounds[-1] <= 10).all())


def test_more_than_one_segment_gains():
    segment = torch.tensor([[0.9, 0.6, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]], requires_grad=True)
    gradients = [
        torch.autograd.grad(count_loss(segment, torch.ones(1), boldness, rounds=2), segment)[0][0]
        for boldness in (0.0, 0.9)
    ]
    assert -gradients[1][1] > -10 * gradients[0][1] > 0


def test_objective_adds_the_counts_to_the_pooled_loss():
    sizes = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 4, "num_classes": 3, "hidden_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = HAN(**sizes).eval()
        batch = tuple(torch.randn(4, 10, size) for size in (5, 6, 4))
        targets = Targets(*(torch.rand(3, 4, 3) < 0.5).float())
    recipe = get_recipe("rlld").replace(objective="poisson_binomial", objective_options={"count_weight": 0.3})
    loss = make_objective(recipe).loss(network, batch, targets, StepContext())
    output = network(*batch)
    expected = pooled_loss(output, targets, recipe.loss_weights)
    for modality, target in enumerate((targets.audio, targets.visual)):
        term = count_loss(output.segment[:, :, modality].transpose(1, 2), target, 0.5, 2)
        expected = expected + 0.3 * term / 2
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("options", [{"boldness": 1.5}, {"rounds": -1}, {"unknown": 1}])
def test_options_are_checked(options):
    recipe = get_recipe("rlld").replace(objective="poisson_binomial", objective_options=options)
    with pytest.raises(InputError, match=next(iter(options))):
        make_objective(recipe)
