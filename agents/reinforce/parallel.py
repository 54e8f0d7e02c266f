"""REINFORCE on K episodes played side by side, each compared with the others (leave-one-out baseline).

With the paper's scalar reward the return of an episode multiplies log pi of all its bits, and it is nearly the same
number in every episode (Eq. 15 of RLLD, arXiv 2412.19563). What says something about the policy's decisions is by
how much an episode did better than others of the same policy:

    1/K sum_k 1/N sum_i grad log pi(a_ki | h_ki) (R_k - mean of R_j over the K - 1 other episodes j),

for each branch with its own returns (Mnih and Rezende, 2016; Kool et al., 2019: "REINFORCE leave-one-out"). Unlike
a moving average it compares with the policy as it is now, and needs no memory.
"""

import time
from collections.abc import Sequence
from typing import Any, cast

import gymnasium
import numpy as np
import torch
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.episode import EpisodeLog, Step
from rlld_agents.reinforce.gradient_noise import GradientNoise
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_gym.errors import InputError

__all__ = ["ParallelReinforce"]


class ParallelReinforce(Reinforce):
    """`Reinforce` with one update for K episodes, whose baseline is the mean return of the K - 1 others.

    Only where the episodes come from and what they are compared with is new; `learn`, its log (a row for K
    episodes, means over them) and its folders are those of `Reinforce`. The observations of all K episodes are
    kept until the update, K times the memory.

    A resumed run goes on with the policy, optimizer and random numbers of its checkpoint, but resets its
    environments with seeds of their own, since vector environments cannot be stored: it differs by chance from an
    uninterrupted run.

    Args:
        policy: as `Reinforce` takes it; it is asked about one environment's videos at a time.
        envs: K environments, at least 2, with the spaces and infos that `Reinforce` expects of one; stacked ones
            (``rlld/LabelDenoisingStacked-v0``), or any of Gymnasium's with independent copies, in any autoreset
            mode. All episodes must have the same number of steps.
        config: the options, with ``advantage`` "episode" and ``baseline`` "none": there is none beside the others'
            returns. ``episodes`` counts those of all environments and is rounded up to a multiple of K.
        reference: as `Reinforce` takes it.

    Raises:
        InputError: fewer than two environments, environments that are no whole batches or hand out views, or
            another advantage or baseline.

    Examples:
        >>> import gymnasium
        >>> from rlld_agents import HybridAttentionPolicy
        >>> envs = gymnasium.make_vec(
        ...     "rlld_gym:rlld/PlantedNoise-v0", num_envs=4, vectorization_mode="sync"
        ... )
        >>> spaces = envs.single_observation_space, envs.single_action_space
        >>> policy = HybridAttentionPolicy.for_spaces(*spaces, hidden_size=16)
        >>> rows = ParallelReinforce(policy, envs, ReinforceConfig(episodes=8)).learn()
        >>> [row["episode"] for row in rows]
        [4, 8]
    """

    def __init__(
        self,
        policy: nn.Module,
        envs: VectorEnv[Any, Any, Any],
        config: ReinforceConfig | None = None,
        *,
        reference: nn.Module | None = None,
    ) -> None:
        config = config or ReinforceConfig()
        _check(envs, config)
        # Of its environment the base class asks no more than its state, which vector environments do not have.
        super().__init__(policy, cast(gymnasium.Env[Any, Any], envs), config, reference=reference)
        self.envs = envs

    def _train_episode(self) -> dict[str, float]:
        """Play one episode in each environment, update the policy once, and return the row to log."""
        start = time.perf_counter()
        noise = GradientNoise(self.policy.parameters()) if self.config.gradient_diagnostics else None
        rollouts = self.play_episodes()
        logs = [EpisodeLog() for _ in rollouts]
        for log, rollout in zip(logs, rollouts, strict=True):
            for step in rollout:
                log.add(step)
        update = self._update([step for rollout in rollouts for step in rollout], noise)
        return self._count_and_describe(logs, [update], noise, start)

    def play_episodes(self) -> list[list[Step]]:
        """Play one episode in each environment, in lockstep; return the N steps of each.

        Raises:
            InputError: they do not end together.
        """
        rollouts: list[list[Step]] = [[] for _ in range(self.envs.num_envs)]
        copies = range(self.envs.num_envs)
        observations, infos = self.envs.reset(seed=self.reset_seed)
        self.reset_seed = None
        done = np.zeros(len(copies), np.bool_)
        while not done.any():
            before = [{name: values[copy] for name, values in observations.items()} for copy in copies]
            choices = [self._act(before[copy], _info_of(infos, copy)) for copy in copies]
            actions = np.stack([action.numpy() for _, action in choices])
            observations, scalars, terminated, truncated, infos = self.envs.step(actions)
            done = terminated | truncated
            # Where the environments reset themselves in their last step, its infos are moved aside.
            outcomes = infos.get("final_info", infos)
            for copy, (mask, action) in enumerate(choices):
                scalar, info = float(scalars[copy]), _info_of(outcomes, copy)
                rewards = self.branch_rewards(scalar, info)
                rollouts[copy].append(Step(before[copy], mask, action, rewards, scalar, info))
        if not done.all():
            raise InputError(
                f"{done.sum()} of {len(copies)} episodes ended after {len(rollouts[0])} steps, expected all; give "
                "every environment the same episode length"
            )
        return rollouts

    def _episode_advantages(self, steps: list[Step]) -> Sequence[Tensor | None]:
        """Return the (2,) that multiplies the log pi of each step, of the K episodes one after the other."""
        rewards = torch.tensor([step.rewards for step in steps], dtype=torch.float64)
        advantages = self.advantages.of_rollouts(rewards.reshape(self.envs.num_envs, -1, 2))
        return list(advantages.flatten(0, 1).to(self.device, torch.float32))


def _info_of(infos: dict[str, Any], copy: int) -> dict[str, Any]:
    """Return one environment's info; Gymnasium says under ``_name`` which of them have an entry ``name``."""
    return {
        name: _info_of(values, copy) if isinstance(values, dict) else values[copy]
        for name, values in infos.items()
        if not name.startswith("_") and (f"_{name}" not in infos or infos[f"_{name}"][copy])
    }


def _check(envs: VectorEnv[Any, Any, Any], config: ReinforceConfig) -> None:
    """Raise InputError for environments and options that leave nothing to compare."""
    number = getattr(envs, "num_envs", 1)
    if number < 2:
        raise InputError(
            f"leave-one-out needs at least two environments to compare their returns, found {number}; raise "
            'num_envs, or use Reinforce with baseline "ema"'
        )
    shape = envs.single_action_space.shape
    if shape is None or len(shape) != 3:
        raise InputError(
            f"the environments have actions of shape {shape}, expected (B, 2, C): each must be a run of its own "
            "with whole batches, not a video"
        )
    if not getattr(envs.unwrapped, "copy", True):
        raise InputError(
            "the vector environment hands out views that its next step overwrites; make it with copy=True"
        )
    for name, expected in (("advantage", "episode"), ("baseline", "none")):
        found = getattr(config, name)
        if found != expected:
            raise InputError(
                f"option {name}: found {found}, expected {expected}: episodes are compared with each other"
            )
