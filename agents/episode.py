"""One episode as REINFORCE keeps it, and the returns of its steps."""

from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass
class Episode:
    """What one episode leaves for the update: N entries in each list.

    Observations are kept as the environment gave them, 14 MB a step for 128 LLP videos (449 MB for 32 steps);
    the update computes the log-probabilities again, one step at a time, so that no graph outlives its step.
    """

    observations: list[dict[str, NDArray[Any]]] = field(default_factory=list)
    actions: list[Tensor] = field(default_factory=list)
    masks: list[Tensor | None] = field(default_factory=list)
    rewards: list[tuple[float, float]] = field(default_factory=list)
    """Reward of the audio branch and of the visual branch."""
    scalar_rewards: list[float] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)


def returns(rewards: Tensor, reward_to_go: bool, discount: float) -> Tensor:
    """Return what each step's log-probability is multiplied with, before the baseline.

    Args:
        rewards: (N, 2) reward of each step and branch.
        reward_to_go: sum over the steps from each step on; otherwise over the whole episode (Eq. 15).
        discount: weight of a reward k steps later is ``discount ** k``; without reward to go, k counts from
            the first step.

    Returns:
        (N, 2); without reward to go all rows are equal.
    """
    to_go = torch.empty_like(rewards)
    following = torch.zeros_like(rewards[0])
    for step in reversed(range(len(rewards))):
        following = rewards[step] + discount * following
        to_go[step] = following
    return to_go if reward_to_go else to_go[:1].expand_as(to_go).clone()


def resized(baseline: Tensor, steps: int) -> Tensor:
    """Return the first ``steps`` rows of a per-step baseline, its last row repeated if there are fewer."""
    return baseline[torch.arange(steps).clamp(max=len(baseline) - 1)]
