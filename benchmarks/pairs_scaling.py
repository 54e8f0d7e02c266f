"""How an update of REINFORCE over parameters grows with the number of workers on Ray, simulated.

OMP_NUM_THREADS=1 python benchmarks/pairs_scaling.py --pairs 4 32

Two episodes are played here, timed in CPU seconds of one thread, and their rollouts kept. Then the real code
(`rlld_agents.reinforce.ray_rollouts`, `parameter_exploration`) plays and updates with workers that sleep for as
long and answer with such a rollout: sleeping needs no core, so that 64 of them fit on any machine. It is a
simulation: the network of real machines is not in it, and all processes of Ray share this machine's cores, which
makes what they add larger than on a cluster. An update is timed after all workers have played once. Needs Ray.
"""

import argparse
import pickle
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import torch

from benchmarks.simulated_cluster import simulated_cluster
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.reinforce import ray_rollouts
from rlld_agents.reinforce.branch_rewards import BranchRewards
from rlld_agents.reinforce.parameter_exploration import ParameterExploration
from rlld_agents.reinforce.policy_rollout import PolicyRollout, explored_parameters
from rlld_agents.reinforce.reward_only import evidence_policy, paid_environment, reward_only_config
from rlld_agents.reinforce.rollout_jobs import rollout
from rlld_agents.reports.results import markdown
from rlld_agents.runs.setting import Setting

HEADS = [
    "pairs",
    "workers",
    "an update (s)",
    "of these not playing (s)",
    "ideal (s)",
    "faster than one worker",
]


class SleepingPlayer:
    """Takes the place of `ray_rollouts.Player`: sleeps, and answers with a rollout that was played before."""

    seconds, answer = 0.0, b""

    def __init__(self, spec: bytes, policy: bytes, separate_branches: bool) -> None:
        """Make nothing."""

    def play(self, job: bytes) -> bytes:
        """Return the rollout, pickled."""
        time.sleep(self.seconds)
        return self.answer


@dataclass
class Episode:
    """What an episode is: who plays it where, its CPU seconds, and its rollout."""

    policy: EvidencePolicy
    env: gymnasium.Env[Any, Any]
    seconds: float
    rollout: PolicyRollout


def played(options: argparse.Namespace) -> Episode:
    """Return an episode that was played here; the second of two, which finds everything warm."""
    setting = Setting(options.data, hidden_size=options.hidden_size, device="cpu")
    arguments = setting.environment_arguments()
    policy = evidence_policy(arguments, setting.tensors, setting.hidden_size)
    env: gymnasium.Env[Any, Any] = paid_environment(arguments)
    values = {name: value.detach().clone() for name, value in explored_parameters(policy).items()}
    for seed in (1, 2):
        start = time.process_time()
        found = rollout(policy, env, BranchRewards(True), (values, seed))
        seconds = time.process_time() - start
    return Episode(policy, env, seconds, found)


def update_seconds(episode: Episode, pairs: Sequence[int], workers: int) -> list[float]:
    """Return the seconds of an update with so many pairs each, with workers that sleep and have all begun."""
    sleeper = {"seconds": episode.seconds, "answer": pickle.dumps(episode.rollout)}
    ray_rollouts.Player = type("Sleeper", (SleepingPlayer,), sleeper)  # type: ignore[assignment, misc]
    found = []
    with ray_rollouts.rollouts_on_ray(episode.policy, episode.env, workers, BranchRewards(True)) as play:
        values = {name: value.detach() for name, value in explored_parameters(episode.policy).items()}
        play([(values, seed) for seed in range(workers)])
        for number in pairs:
            exploration = ParameterExploration(episode.policy, reward_only_config(pairs=number))
            start = time.perf_counter()
            exploration.play_and_update(play, torch.Generator().manual_seed(0), 0)
            found.append(time.perf_counter() - start)
    return found


def main() -> None:
    """Play, count, simulate and print tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-small", help="data of the episode that is played")
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--pairs", type=int, nargs="+", default=[4, 32], help="antithetic pairs of an update")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    options = parser.parse_args()
    torch.set_num_threads(1)
    episode = played(options)
    sent = len(pickle.dumps((dict(explored_parameters(episode.policy)), 1)))
    back, once = len(pickle.dumps(episode.rollout)), len(pickle.dumps(episode.policy))
    print(
        f"an episode: {episode.seconds:.2f} s; bytes there {sent:,}, back {back:,}, once a worker {once:,}\n"
    )
    rows = []
    for workers in options.workers:
        with simulated_cluster(workers):
            for pairs, seconds in zip(
                options.pairs, update_seconds(episode, options.pairs, workers), strict=True
            ):
                ideal = -(-2 * pairs // workers) * episode.seconds
                numbers = [f"{value:.2f}" for value in (seconds, seconds - ideal, ideal)]
                faster = 2 * pairs * episode.seconds / seconds
                rows.append([pairs, workers, *numbers, f"{faster:.1f}"])
                print(rows[-1], flush=True)
    rows.sort(key=lambda row: row[:2])
    print("\n" + markdown(HEADS, [[str(cell) for cell in row] for row in rows]))


if __name__ == "__main__":
    main()
