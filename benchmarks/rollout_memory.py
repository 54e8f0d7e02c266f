"""What a rollout of Stable-Baselines3's PPO takes at LLP's sizes, with both kinds of observation.

python benchmarks/rollout_memory.py

Each observation mode runs in a process of its own: 128 videos, 32 steps (one episode), then one pass of PPO over
the rollout in minibatches of 256. Columns: the arrays of the rollout buffer; how far the process's memory rose
above what it was before the rollout (environment, features and policy are there already), in the rollout and in the
update; seconds of both. Needs Linux, whose peak of a process's memory can be reset.
"""

import argparse
import multiprocessing
import time
from pathlib import Path
from typing import Any

from rlld_agents.reports.results import markdown

MODES = ("features", "indices")


def resident(kind: str) -> float:
    """Return this process's resident memory in MB: "VmRSS" now, "VmHWM" at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{kind}:"))


def forget_peak() -> float:
    """Reset the peak, and return the memory now, in MB."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return resident("VmRSS")


def buffer_size(buffer: Any) -> float:
    """Return the size of a rollout buffer's arrays, in MB."""
    arrays = [*buffer.observations.values(), buffer.actions, buffer.rewards, buffer.values, buffer.log_probs]
    return float(sum(array.nbytes for array in arrays)) / 1e6


def measure(mode: str, data: str, num_videos: int, steps: int, hidden_size: int) -> list[float]:
    """Return buffer, growth of the rollout, growth with the update, seconds of rollout and update."""
    from stable_baselines3 import PPO  # noqa: PLC0415
    from stable_baselines3.common.callbacks import BaseCallback  # noqa: PLC0415

    from rlld_agents.sb3 import HybridAttentionActorCriticPolicy, PerVideoVecEnv  # noqa: PLC0415

    class Marks(BaseCallback):
        """Reads the clock and the memory at the rollout's two ends."""

        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            self.before, self.started = forget_peak(), time.perf_counter()

        def _on_rollout_end(self) -> None:
            self.rollout, self.ended = resident("VmHWM") - self.before, time.perf_counter()
            forget_peak()

    env = PerVideoVecEnv(num_videos, data=data, observation=mode, episode_length=steps)
    options = {"data": data, "hidden_size": hidden_size}
    model = PPO(
        HybridAttentionActorCriticPolicy,
        env,
        n_steps=steps,
        batch_size=256,
        n_epochs=1,
        policy_kwargs=options,
        seed=0,
    )
    marks = Marks()
    model.learn(num_videos * steps, callback=marks)
    update = time.perf_counter() - marks.ended
    growth = [marks.rollout, resident("VmHWM") - marks.before]
    return [buffer_size(model.rollout_buffer), *growth, marks.ended - marks.started, update]


def main() -> None:
    """Measure both modes and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="twin-full", help="data set with LLP's feature sizes")
    parser.add_argument("--num-videos", type=int, default=128)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--hidden-size", type=int, default=64)
    options = parser.parse_args()
    rows = []
    for mode in MODES:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            numbers = pool.apply(
                measure, (mode, options.data, options.num_videos, options.steps, options.hidden_size)
            )
        rows.append([mode, *(f"{number:.1f}" for number in numbers)])
    head = ["observation", "buffer (MB)", "rollout (MB)", "update (MB)", "rollout (s)", "update (s)"]
    print(markdown(head, rows))


if __name__ == "__main__":
    main()
