"""Episodes side by side on Ray, on this machine or on a cluster, each with an environment of its own."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import gymnasium
import torch
from torch import nn

from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.policy_rollout import PolicyRollout
from rlld_agents.reinforce.rollout_jobs import Job, Play, rollout, spec_of
from rlld_agents.runs.processes import available_cores
from rlld_gym.errors import InputError
from rlld_gym.ray_session import ray_session

RETRIES: Final = 3
"""How often an actor is replaced before its end is an error: one that memory does not suffice for dies again."""


class Player:
    """Holds policy and environment in a process of Ray.

    What goes over the wire for an episode: the explored parameters and a seed there, the rollout back.
    """

    def __init__(self, spec: bytes, policy: bytes, separate_branches: bool) -> None:
        torch.set_num_threads(1)
        self.env = gymnasium.make(pickle.loads(spec))
        self.policy: nn.Module = pickle.loads(policy)
        self.rewards = BranchRewards(separate_branches)

    def play(self, job: bytes) -> bytes:
        """Return the rollout of a pickled job, pickled."""
        return pickle.dumps(rollout(self.policy, self.env, self.rewards, pickle.loads(job)))


@contextmanager
def rollouts_on_ray(
    policy: nn.Module, env: gymnasium.Env[Any, Any], workers: int, branch_rewards: BranchRewards
) -> Iterator[Play]:
    """Offer what plays episodes of one policy on Ray; arguments and result as `rollout_pool.rollouts_of`.

    An actor that is lost, with its machine or for want of memory, is replaced, and its episode is played again: an
    episode depends on its parameters and seed alone, so nothing is lost and nothing counts twice.

    Data files must be where all machines see them, under the path that the environment was made with.

    Raises:
        InputError: Ray is not installed or has too few free cores, or the environment does not say how it was made.
    """
    spec = pickle.dumps(spec_of(env))
    with ray_session(max(workers, available_cores()), "option rollout_backend: ray") as ray:
        free = int(ray.available_resources().get("CPU", 0))
        if free < workers:
            raise InputError(
                f"option rollout_workers: {workers} on Ray, which has {free} free cores; use fewer workers"
            )
        actor = ray.remote(num_cpus=1, max_restarts=RETRIES, max_task_retries=RETRIES)(Player)
        shared = ray.put(pickle.dumps(policy))
        players = [actor.remote(spec, shared, branch_rewards.separate) for _ in range(workers)]

        def play(jobs: Sequence[Job]) -> list[PolicyRollout]:
            waiting = [
                players[number % workers].play.remote(pickle.dumps(job)) for number, job in enumerate(jobs)
            ]
            return [pickle.loads(found) for found in ray.get(waiting)]

        try:
            yield play
        finally:
            for player in players:
                ray.kill(player)
