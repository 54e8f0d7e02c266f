"""Shifts that make the mean removal probability of a class the share of its labels that is wrong."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rlld_agents.imitation import class_shifts


def labels(seed: int = 0, videos: int = 400) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-odds that are off by 2 and more, truth and labels; the last class is rare."""
    generator = torch.Generator().manual_seed(seed)
    present = (torch.rand(videos, 4, generator=generator) < torch.tensor([0.6, 0.5, 0.5, 0.01])).float()
    logits = torch.randn(videos, 2, 4, generator=generator)
    bias = torch.tensor([[-2.0, -1.0, -3.0, 2.0], [1.0, 1.0, 2.0, -3.0]])
    absent = torch.rand(videos, 2, 4, generator=generator) < (logits + bias).sigmoid()
    return logits, absent, present


def rates(probability: Tensor, present: Tensor) -> Tensor:
    """Return the mean over a class's labels, (2, C)."""
    return (probability * present.unsqueeze(1)).sum(0) / present.sum(0)


def test_predicted_rates_move_to_those_of_the_classes() -> None:
    logits, absent, present = labels()
    wanted = rates(absent.float(), present)
    shifted = rates((logits + class_shifts(logits, absent, present, 10.0)).sigmoid(), present)
    torch.testing.assert_close(shifted[:, :3], wanted[:, :3], rtol=0, atol=2e-3)
    assert (rates(logits.sigmoid(), present) - wanted)[:, :3].abs().min() > 0.05


def test_rare_classes_stay_near_their_modality() -> None:
    logits, absent, present = labels()
    free, bound = (class_shifts(logits, absent, present, deviation) for deviation in (10.0, 0.5))
    common = class_shifts(logits, absent, present, 0.0)
    assert torch.equal(common, common[:, :1].expand_as(common))
    kept = (bound - common).abs() / (free - common).abs()
    assert kept[:, 3].max() < 0.3
    assert kept[:, [0, 2]].min() > 0.6


@pytest.mark.parametrize("deviation", [0.3, 1.0])
def test_shifts_are_the_most_probable_ones(deviation: float) -> None:
    """Compare with a general optimiser on the same objective, written out again."""
    logits, absent, present = labels(seed=1)
    common = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    own = torch.zeros(2, 4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([common, own], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        values = functional.binary_cross_entropy_with_logits(
            logits.double() + common + own,
            absent.double(),
            weight=present.double().unsqueeze(1),
            reduction="sum",
        )
        value = values + (own**2).sum() / (2 * deviation**2)
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    expected = (common + own).detach().float()
    torch.testing.assert_close(class_shifts(logits, absent, present, deviation), expected, rtol=0, atol=1e-3)


def test_absent_labels_do_not_count() -> None:
    logits, absent, present = labels()
    other = absent ^ (present == 0).unsqueeze(1)
    assert torch.equal(class_shifts(logits, absent, present, 0.5), class_shifts(logits, other, present, 0.5))


def test_a_modality_that_cannot_tell_is_left_alone() -> None:
    logits, absent, present = labels()
    absent[:, 0] = False
    shift = class_shifts(logits, absent, present, 0.5)
    assert (shift[0] == 0).all()
    assert (shift[1] != 0).all()
    assert (class_shifts(logits, absent, torch.zeros_like(present), 0.5) == 0).all()
