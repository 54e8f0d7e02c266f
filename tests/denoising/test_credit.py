"""Credit of labels against what it stands for: one training step with and one without the label."""

import copy
import dataclasses

import pytest
import torch
from torch import Tensor

from rlld_gym.data.catalog import shared_tensors
from rlld_gym.denoising.credit import (
    CREDIT_LIMIT,
    CREDIT_LOSSES,
    CreditLoss,
    label_credit,
    normalised_credit,
    validation_gradient,
    validation_loss,
)
from rlld_gym.parsing.losses import LossWeights, Targets, pooled_loss
from rlld_gym.parsing.networks import HAN, ParsingOutput
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import feature_sizes, train_parser

DATA = shared_tensors("twin-tiny", "cpu")
BATCH = torch.arange(4)
WEIGHTS = LossWeights(video=1.0, audio=2.0, visual=1.0)


@pytest.fixture(scope="module")
def network() -> HAN:
    """A network in double precision that has learned something, in training mode."""
    labels = DATA["train"].labels
    recipe = get_recipe("compact-tiny").shortened(1)
    trained = train_parser(DATA, labels, labels, recipe, hidden_size=16, seed=0).network
    assert isinstance(trained, HAN)
    return trained.double().train()


def doubled(batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
    audio, visual_2d, visual_3d = (part.double() for part in batch)
    return audio, visual_2d, visual_3d


class DoubleVal:
    """The validation split in double precision, as far as credit looks at it."""

    dense_audio, dense_visual, labels = DATA["val"].dense_audio, DATA["val"].dense_visual, DATA["val"].labels

    def __len__(self) -> int:
        return 24

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return doubled(DATA["val"].batch(indices))


def loss_after_a_step(network: HAN, labels: Tensor, rate: float, loss: CreditLoss) -> float:
    """Validation loss after one step of gradient descent on the training batch, by hand."""
    stepped = copy.deepcopy(network).eval()
    targets = Targets(labels.amax(1), labels[:, 0], labels[:, 1])
    value = pooled_loss(stepped(*doubled(DATA["train"].batch(BATCH))), targets, WEIGHTS)
    gradients = torch.autograd.grad(value, list(stepped.parameters()), allow_unused=True)
    with torch.no_grad():
        for parameter, gradient in zip(stepped.parameters(), gradients, strict=True):
            if gradient is not None:
                parameter.sub_(rate * gradient)
    every = torch.arange(24)
    dense = DATA["val"].dense_audio, DATA["val"].dense_visual
    assert dense[0] is not None
    assert dense[1] is not None
    output = stepped(*doubled(DATA["val"].batch(every)))
    return float(torch.detach(validation_loss(output, dense[0][every], dense[1][every], loss)))


@pytest.mark.parametrize("loss", CREDIT_LOSSES)
def test_credit_is_what_one_step_with_and_without_the_label_says(network: HAN, loss: CreditLoss) -> None:
    gradient = validation_gradient(network, DoubleVal(), loss=loss)  # type: ignore[arg-type]
    credit = label_credit(network, doubled(DATA["train"].batch(BATCH)), gradient)
    labels = DATA["train"].labels[BATCH].double().unsqueeze(1).repeat(1, 2, 1)
    rate = 1e-4
    kept = loss_after_a_step(network, labels, rate, loss)
    for video, branch, label in torch.nonzero(labels).tolist():
        without = labels.clone()
        without[video, branch, label] = 0
        measured = kept - loss_after_a_step(network, without, rate, loss)
        expected = credit[video, branch, label].item() * rate * WEIGHTS[1 + branch] / labels[:, 0].numel()
        assert measured == pytest.approx(expected, rel=2e-2, abs=1e-11)


def test_network_and_gradients_are_left_as_they_were(network: HAN) -> None:
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    gradients = [parameter.grad for parameter in network.parameters()]
    gradient = validation_gradient(network, DoubleVal())  # type: ignore[arg-type]
    label_credit(network, doubled(DATA["train"].batch(BATCH)), gradient)
    assert network.training
    assert all(p.grad is g for p, g in zip(network.parameters(), gradients, strict=True))
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())


def test_some_videos_of_validation_suffice(network: HAN) -> None:
    """The gradient of a mean is the mean of the gradients."""
    halves = torch.arange(24).split(12)
    parts = [validation_gradient(network, DoubleVal(), half) for half in halves]  # type: ignore[arg-type]
    whole = validation_gradient(network, DoubleVal())  # type: ignore[arg-type]
    for name, gradient in whole.items():
        torch.testing.assert_close(gradient, (parts[0][name] + parts[1][name]) / 2)


def test_soft_f_score_is_the_f_score_of_certain_predictions() -> None:
    generator = torch.Generator().manual_seed(0)
    segment = (torch.rand(5, 10, 2, 3, generator=generator) < 0.4).double()
    truth = (torch.rand(5, 10, 2, 3, generator=generator) < 0.4).double()
    output = ParsingOutput(segment[:, 0, 0], segment[:, 0, 0], segment[:, 0, 1], segment)
    scores = []
    for video in range(5):
        for branch in range(2):
            found, true = segment[video, :, branch], truth[video, :, branch]
            hits = (found * true).sum()
            misses = (found * (1 - true)).sum() + ((1 - found) * true).sum()
            scores.append((2 * hits + 1) / (2 * hits + misses + 1))
    value = validation_loss(output, truth[:, :, 0], truth[:, :, 1], "segment_f1")
    torch.testing.assert_close(value, 1 - torch.stack(scores).mean())


def test_normalised_credit_knows_no_scale_but_keeps_signs() -> None:
    generator = torch.Generator().manual_seed(0)
    credit = torch.randn(6, 2, 5, generator=generator).clamp(-2, 2)
    present = torch.rand(6, 2, 5, generator=generator) < 0.5
    found = normalised_credit(credit, present)
    for factor in (1e-20, 1e-3, 7.0, 1e20):
        torch.testing.assert_close(normalised_credit(credit * factor, present), found)
    assert found[present].abs().mean().item() == pytest.approx(1)
    assert torch.equal(found[present].sign(), credit[present].sign())
    assert not found[~present].any()
    absent = torch.where(present, credit, torch.full_like(credit, torch.nan))
    assert torch.equal(normalised_credit(absent, present), found)


def test_normalised_credit_at_its_limits() -> None:
    credit = torch.zeros(1, 2, 50)
    everything = torch.ones(1, 2, 50, dtype=torch.bool)
    assert not normalised_credit(credit, everything).any()
    assert not normalised_credit(credit + 1, ~everything).any()
    credit[0, 1, 3] = -1e-3
    assert normalised_credit(credit, everything)[0, 1, 3] == -CREDIT_LIMIT
    assert not normalised_credit(credit, everything)[0, 0].any()


def test_credit_needs_no_gradients_of_its_caller() -> None:
    small = HAN(**feature_sizes(DATA["train"]), hidden_size=8)
    features = DATA["train"].batch(BATCH)
    expected = label_credit(small, features, validation_gradient(small, DATA["val"], BATCH))
    with torch.no_grad():
        found = label_credit(small, features, validation_gradient(small, DATA["val"], BATCH))
    assert torch.equal(found, expected)
    still = {name: torch.zeros_like(parameter) for name, parameter in small.named_parameters()}
    assert not label_credit(small, features, still).any()


def test_what_cannot_be_computed_is_refused() -> None:
    sizes = feature_sizes(DATA["train"])
    small = HAN(**sizes, hidden_size=8)
    without = dataclasses.replace(DATA["val"], dense_audio=None)
    with pytest.raises(ValueError, match="dense labels"):
        validation_gradient(small, without)
    with pytest.raises(ValueError, match="expected one of segment_f1"):
        validation_gradient(small, DATA["val"], torch.arange(2), "f1")  # type: ignore[arg-type]
