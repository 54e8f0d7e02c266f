"""An episode as a piece of work that can be done anywhere: explored parameters and a seed."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from torch import Tensor, nn

from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.policy_rollout import PolicyRollout, play_policy, with_explored
from rlld_gym.errors import InputError

Job = tuple[dict[str, Tensor], int]
"""Values of the explored parameters, and the seed of an episode."""

Play = Callable[[Sequence[Job]], list[PolicyRollout]]
"""From values of the explored parameters and seeds to the episodes, in their order."""


def spec_of(env: gymnasium.Env[Any, Any]) -> EnvSpec:
    """Return how to make another environment like this one; InputError where it does not say."""
    if env.spec is None:
        raise InputError(
            "option rollout_workers: the environment does not say how to make another one; make it with "
            "gymnasium.make, or use one worker"
        )
    return env.spec


def rollout(
    policy: nn.Module, env: gymnasium.Env[Any, Any], branch_rewards: BranchRewards, job: Job
) -> PolicyRollout:
    """Play a job's episode in this process."""
    parameters, seed = job
    with with_explored(policy, parameters):
        return play_policy(policy, env, seed, branch_rewards)
