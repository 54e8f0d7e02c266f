"""Episodes side by side in processes, each with an environment of its own."""

import pickle
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import gymnasium
import torch
from gymnasium.envs.registration import EnvSpec
from torch import nn

from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.rollout_jobs import Play, rollout, spec_of
from rlld_agents.runs.orphans import serve_parent
from rlld_agents.runs.processes import available_cores

_worker: dict[str, Any] = {}
"""In a process of the pool: its environment, policy and split of rewards."""


@contextmanager
def rollouts_of(
    policy: nn.Module,
    env: gymnasium.Env[Any, Any],
    config: ReinforceConfig,
    branch_rewards: BranchRewards,
) -> Iterator[Play]:
    """Offer what plays episodes of one policy, with several workers on copies of the environment.

    An episode depends on the explored parameters and its seed alone, so the rollouts are those that one process
    would play one after the other, up to rounding where the processes have another number of threads. Processes are
    started afresh, at the first episodes; they end with the one that started them, and leave Ctrl-C to it.

    Args:
        policy: as `rlld_agents.Reinforce` takes it; processes have it as it is now.
        env: for several workers one made by ``gymnasium.make``, which tells how to make another one.
        config: ``rollout_workers``, 1: this process plays; more: so many others do, which share the cores, or Ray's
            (`ray_rollouts`), as ``rollout_backend`` says.
        branch_rewards: splits a step's reward.

    Raises:
        InputError: several workers, and the environment does not say how it was made, or Ray is not installed.
    """
    workers = config.rollout_workers
    if workers == 1:
        yield lambda jobs: [rollout(policy, env, branch_rewards, job) for job in jobs]
        return
    if config.rollout_backend == "ray":
        from rlld_agents.reinforce.ray_rollouts import rollouts_on_ray  # noqa: PLC0415 (an extra)

        with rollouts_on_ray(policy, env, workers, branch_rewards) as play:
            yield play
        return
    spec = spec_of(env)
    threads = max(1, available_cores() // workers)
    # Pickled here, because torch would let processes share the memory of tensors that it sends.
    arguments = (spec, pickle.dumps(policy), branch_rewards.separate, threads)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, arguments)
    try:
        yield lambda jobs: [pickle.loads(found) for found in pool.map(_play_job, map(pickle.dumps, jobs))]
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(spec: EnvSpec, policy: bytes, separate_branches: bool, threads: int) -> None:
    serve_parent()
    torch.set_num_threads(threads)
    _worker.update(
        env=gymnasium.make(spec), policy=pickle.loads(policy), rewards=BranchRewards(separate_branches)
    )


def _play_job(job: bytes) -> bytes:
    found = rollout(_worker["policy"], _worker["env"], _worker["rewards"], pickle.loads(job))
    return pickle.dumps(found)
