"""What REINFORCE keeps of the steps of an episode, and the returns of the steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_agents.runs.log import environment_metrics


@dataclass(frozen=True, eq=False)
class Step:
    """What one step leaves for the update.

    Observations are kept as the environment gave them, 14 MB a step for 128 LLP videos (449 MB for 32 steps);
    the update computes the log-probabilities again, one step at a time, so that no graph outlives its step.
    """

    observation: dict[str, NDArray[Any]]
    mask: Tensor | None
    action: Tensor
    rewards: tuple[float, float]
    """Reward of the audio branch and of the visual branch."""
    scalar_reward: float
    info: dict[str, Any]
    """What the environment said about the step."""


@dataclass
class EpisodeLog:
    """What is left of an episode's steps when the updates are done with them."""

    rewards: list[tuple[float, float]] = field(default_factory=list)
    scalar_rewards: list[float] = field(default_factory=list)
    infos: list[dict[str, Any]] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Note a step."""
        self.rewards.append(step.rewards)
        self.scalar_rewards.append(step.scalar_reward)
        self.infos.append(step.info)

    def __len__(self) -> int:
        return len(self.infos)

    def rollout_metrics(self) -> dict[str, float]:
        """Return what is logged of the rewards."""
        totals = torch.tensor(self.rewards, dtype=torch.float64).sum(0)
        return {
            "rollout/ep_rew_mean": sum(self.scalar_rewards),
            "rollout/ep_len_mean": len(self),
            "rollout/return_audio": totals[0].item(),
            "rollout/return_visual": totals[1].item(),
        }

    def environment_metrics(self) -> dict[str, float]:
        """Return what is logged of the environment's infos."""
        return environment_metrics(self.infos)


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each entry over the rows, which have the same names; nothing without rows."""
    if not rows:
        return {}
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


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
