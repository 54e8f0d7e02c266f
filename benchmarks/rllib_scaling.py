"""What remote workers of RLlib cost and bring: steps per second, memory of a worker, bytes that travel.

python benchmarks/rllib_scaling.py --workers 0 1 2

PPO on the per-video environment. Every worker plays the same number of steps in an iteration, so its batches are as
large however many there are (weak scaling). Needs Linux.
"""

import argparse
import os
import pickle
import runpy
import time
from pathlib import Path
from typing import Any

import ray

from rlld_agents.reports.results import markdown

MAKE = runpy.run_path(str(Path(__file__).resolve().parents[1] / "examples" / "rllib_ppo.py"))["make"]


def resident(process: int) -> float:
    """Return a process's resident memory in MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:"))


def measure(workers: int, options: argparse.Namespace) -> list[Any]:
    """Return steps of a batch per second, seconds of an iteration, memory of driver and worker, bytes sent."""
    steps = options.num_videos * options.episode_length * max(workers, 1)
    algorithm = MAKE(
        num_envs=options.num_videos,
        workers=workers,
        steps=steps,
        minibatch=min(512, steps),
        epochs=1,
        data=options.data,
        episode_length=options.episode_length,
        observation=options.observation,
        policy={"data": options.data, "hidden_size": options.hidden_size},
    )
    algorithm.train()
    before = algorithm.metrics.peek(("env_runners", "num_env_steps_sampled_lifetime"))
    started = time.perf_counter()
    for _ in range(options.iterations):
        algorithm.train()
    seconds = time.perf_counter() - started
    steps = algorithm.metrics.peek(("env_runners", "num_env_steps_sampled_lifetime")) - before
    rate = steps / options.num_videos / seconds
    processes = algorithm.env_runner_group.foreach_env_runner(
        lambda _: os.getpid(), local_env_runner=workers == 0
    )
    memory = max(resident(process) for process in processes)
    timers = [
        algorithm.metrics.peek(("timers", name))
        for name in ("env_runner_sampling_timer", "learner_update_timer")
    ]
    episodes = algorithm.env_runner_group.foreach_env_runner(
        lambda runner: len(
            pickle.dumps([e.get_state() for e in runner.sample(num_episodes=options.num_videos)])
        ),
        local_env_runner=workers == 0,
    )
    algorithm.stop()
    return [
        str(workers),
        f"{rate:.1f}",
        *(f"{timer:.1f}" for timer in timers),
        f"{resident(os.getpid()):.0f}",
        f"{memory:.0f}",
        f"{max(episodes) / 1e6:.2f}",
    ]


def main() -> None:
    """Measure every number of workers and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--observation", choices=["indices", "features"], default="indices")
    parser.add_argument("--num-videos", type=int, default=128)
    parser.add_argument("--episode-length", type=int, default=32)
    parser.add_argument("--hidden-size", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=3)
    options = parser.parse_args()
    ray.init(num_cpus=max(options.workers) + 1, include_dashboard=False, log_to_driver=False)
    rows = [measure(workers, options) for workers in options.workers]
    heads = ["remote workers", "steps/s", "sampling (s)", "learning (s)"]
    print(markdown([*heads, "driver (MB)", "worker (MB)", "episode, pickled (MB)"], rows))
    ray.shutdown()


if __name__ == "__main__":
    main()
