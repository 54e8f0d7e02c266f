"""What multiplies the log-probability of an action bit: a reward, shared with other bits or not, less a baseline.

A label's credit c says how much the validation loss falls, to first order, if the label is removed. A bit that
removes it (probability p) earns c, one that keeps it 0. The gradient of the expected sum over all bits is the sum
of c p (1 - p) times the gradient of the bit's logit, whichever bits share a reward: log pi of each group of bits,
times the group's reward, has that expectation (Williams, 1992). What sharing changes is the variance: a bit's
gradient is multiplied with what all others of its group earned by chance.

A baseline may depend on anything but the bits that it is for, since the expectation of the gradient of their
log-probability is 0. The credit of a label does not depend on the action, so neither do the baselines "expected"
and "optimal"; "leave_one_out" holds other bits' actions only, "ema" those of earlier steps.

Functions of tensors; what they share is named by the advantage's name.
"""

from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor

from rlld_gym.errors import InputError

Advantage = Literal["episode", "step", "video", "label", "class"]
Baseline = Literal["none", "ema", "leave_one_out", "expected", "optimal"]

BASELINES: Final[dict[str, tuple[Baseline, ...]]] = {
    "episode": ("none", "ema"),
    "step": ("none", "ema", "expected"),
    "video": ("none", "ema", "leave_one_out", "expected"),
    "label": ("none", "ema", "leave_one_out", "expected", "optimal"),
}
"""Baselines that make sense where action bits are drawn. An episode's or step's reward has no others beside it to
be compared with, and nobody knows the expectation of an episode's return."""


class Outcome(NamedTuple):
    """What the environment paid for one action, on one device.

    Attributes:
        removed: (B, 2, C) bool, free bits that removed their label.
        branch: (2,) float32, reward of the audio and of the visual branch.
        per_video: (B, 2) float32, reward of each video in each branch, where the environment tells.
        credit: (B, 2, C) float32, what removing a label is worth, where the environment tells.
    """

    removed: Tensor
    branch: Tensor
    per_video: Tensor | None = None
    credit: Tensor | None = None


def pooled(values: Tensor, advantage: Advantage) -> Tensor:
    """Return the sums of the values of bits that share a reward within a step.

    Args:
        values: (B, 2, C), 0 for bits that are not free.
        advantage: what shares a reward; branches are kept apart.

    Returns:
        "label": the values; "video": (B, 2); "step" and "episode": (2,).
    """
    if advantage == "label":
        return values
    per_video = values.sum(-1)
    return per_video if advantage == "video" else per_video.sum(0)


def spread(shared: Tensor, advantage: Advantage) -> Tensor:
    """Return what `pooled` sums up to, in a shape that broadcasts to the bits (B, 2, C)."""
    return shared if advantage == "label" else shared.unsqueeze(-1)


def shared_rewards(outcome: Outcome, advantage: Advantage) -> Tensor:
    """Return the reward that the bits of a step share: the credit of the labels that they removed.

    Where the environment tells no credit, a video earns its reward there and a step those of its branches.

    Args:
        outcome: of the step.
        advantage: "step", "video" or "label".

    Returns:
        In the shape of `pooled`.

    Raises:
        InputError: the environment does not tell what is needed.
    """
    if outcome.credit is not None:
        return pooled(torch.where(outcome.removed, outcome.credit, 0.0), advantage)
    if advantage == "step":
        return outcome.branch
    if advantage == "video" and outcome.per_video is not None:
        return outcome.per_video
    raise _without_credit(f"advantage {advantage}")


def expected_rewards(outcome: Outcome, probability: Tensor, advantage: Advantage) -> Tensor:
    """Return the policy's expectation of the credit that the bits of a step share: the sum of c p.

    Args:
        outcome: of the step.
        probability: (B, 2, C) in [0, 1], of removing each label; 0 for bits that are not free.
        advantage: what shares a reward.

    Returns:
        In the shape of `pooled`.

    Raises:
        InputError: the environment tells no credit.
    """
    if outcome.credit is None:
        raise _without_credit("baseline expected")
    return pooled(outcome.credit * probability, advantage)


def optimal_baseline(outcome: Outcome, probability: Tensor) -> Tensor:
    """Return the baseline of least variance of bits that have a reward of their own.

    It is E[r s^2] / E[s^2] (Greensmith et al., JMLR 2004), with s the derivative of log pi with respect to the
    logit: c (1 - p) for a bit. Both outcomes of the bit then give the same gradient, c p (1 - p), the exact
    one. Nothing is left to chance.

    Args:
        outcome: of the step.
        probability: (B, 2, C) in [0, 1], of removing each label.

    Returns:
        (B, 2, C).

    Raises:
        InputError: the environment tells no credit.
    """
    if outcome.credit is None:
        raise _without_credit("baseline optimal")
    return outcome.credit * (1 - probability)


def leave_one_out(rewards: Tensor, counted: Tensor) -> Tensor:
    """Return, for each reward, the mean of the others of its branch (Kool et al., 2019).

    Args:
        rewards: (B, 2) of videos (or of episodes) or (B, 2, C) of labels; 0 where not counted.
        counted: same shape, bool, rewards to compare with.

    Returns:
        Same shape; 0 where there is no other.

    Raises:
        InputError: only one video.
    """
    if len(rewards) < 2:
        raise InputError("baseline leave_one_out: found a batch of 1 video, expected others to compare with")
    others = [axis for axis in range(rewards.dim()) if axis != 1]
    total = rewards.sum(others, keepdim=True)
    number = counted.sum(others, keepdim=True)
    return (total - rewards) / (number - counted.to(number.dtype)).clamp(min=1)


def mean_per_branch(rewards: Tensor, counted: Tensor) -> Tensor:
    """Return the mean reward of each branch, (2,).

    Args:
        rewards: (2,) of a step, (B, 2) of videos or (B, 2, C) of labels; 0 where not counted.
        counted: same shape, bool.
    """
    if rewards.dim() == 1:
        return rewards
    others = [axis for axis in range(rewards.dim()) if axis != 1]
    return rewards.sum(others) / counted.sum(others).clamp(min=1)


def _without_credit(option: str) -> InputError:
    return InputError(
        f"{option}: found no label_credit in the environment's info, expected it; make the environment with "
        'reward="credit", or choose another option'
    )
