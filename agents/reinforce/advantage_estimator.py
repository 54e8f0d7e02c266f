"""The advantages that REINFORCE's options name: rewards less a baseline, which may be a moving average."""

import torch
from torch import Tensor

from rlld_agents.reinforce.advantages import (
    Outcome,
    expected_rewards,
    leave_one_out,
    mean_per_branch,
    optimal_baseline,
    shared_rewards,
)
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.distribution import MaskedBernoulli
from rlld_agents.reinforce.episode import resized, returns


class AdvantageEstimator:
    """Turns rewards into what multiplies log pi.

    Args:
        config: the options.

    Attributes:
        average: moving average of earlier rewards, (N, 2) of an episode's steps or (2,); None before the first
            and without baseline "ema". All that the estimator remembers.
    """

    def __init__(self, config: ReinforceConfig) -> None:
        self.config = config
        self.average: Tensor | None = None

    def of_episode(self, rewards: Tensor) -> Tensor:
        """Return the advantages of an episode's steps: its return, or that from the step on, less the baseline.

        The baseline comes from earlier episodes only, which keeps the gradient unbiased. The first episode
        has none and is used to start the average: its advantages are zero.

        Args:
            rewards: (N, 2) reward of each step and branch.

        Returns:
            (N, 2) in the dtype of ``rewards``.
        """
        gains = returns(rewards, self.config.reward_to_go, self.config.discount)
        if self.config.baseline == "none":
            return gains
        baseline = gains if self.average is None else resized(self.average, len(gains))
        self._average(baseline, gains)
        return gains - baseline

    def of_rollouts(self, rewards: Tensor) -> Tensor:
        """Return the advantages of episodes that one policy played: returns less the mean of the others'.

        The others' actions are independent of an episode's own, given the policy, which keeps the gradient unbiased
        (Mnih and Rezende, 2016; Kool et al., 2019). With reward to go, those from the same step on are compared.

        Args:
            rewards: (K, N, 2) reward of each episode, step and branch; K at least 2.

        Returns:
            (K, N, 2) in the dtype of ``rewards``; their sum over the K episodes is 0.
        """
        gains = torch.stack(
            [returns(episode, self.config.reward_to_go, self.config.discount) for episode in rewards]
        )
        counted = torch.ones_like(gains[:, 0], dtype=torch.bool)
        return torch.stack([step - leave_one_out(step, counted) for step in gains.unbind(1)], 1)

    def of_step(self, outcome: Outcome, distribution: MaskedBernoulli) -> Tensor:
        """Return the advantages of the bits of one step that is rewarded on its own.

        Args:
            outcome: what the environment paid.
            distribution: that the action was drawn from.

        Returns:
            In the shape of `rlld_agents.reinforce.advantages.pooled`; no gradient flows through it.

        Raises:
            InputError: the environment does not tell what the options need.
        """
        level = self.config.advantage
        rewards = shared_rewards(outcome, level)
        advantage = rewards - self._baseline(rewards, outcome, distribution)
        if self.config.branch_rewards:
            return advantage
        return advantage.mean(-1, keepdim=True).expand_as(advantage)

    def _baseline(self, rewards: Tensor, outcome: Outcome, distribution: MaskedBernoulli) -> Tensor:
        """Return the baseline of a step's rewards, in a shape that broadcasts to theirs."""
        level, kind = self.config.advantage, self.config.baseline
        if kind == "none":
            return torch.zeros_like(rewards)
        probability = torch.where(distribution.free, distribution.probabilities().detach(), 0.0)
        if kind == "expected":
            return expected_rewards(outcome, probability, level)
        if kind == "optimal":
            return optimal_baseline(outcome, probability)
        counted = distribution.free if level == "label" else torch.ones_like(rewards, dtype=torch.bool)
        if kind == "leave_one_out":
            return leave_one_out(rewards, counted)
        mean = mean_per_branch(rewards, counted)
        baseline = mean if self.average is None else self.average.to(mean.device)
        self._average(baseline, mean)
        return baseline.unsqueeze(-1) if level == "label" else baseline

    def _average(self, before: Tensor, new: Tensor) -> None:
        """Move the average towards new rewards."""
        decay = self.config.baseline_decay
        self.average = decay * before + (1 - decay) * new
