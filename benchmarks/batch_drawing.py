"""What choosing the videos of a batch costs, by the number of training videos.

python benchmarks/batch_drawing.py --videos 10000 10000000

next batch     `OverlapSampler.draw` as an episode calls it: 128 videos, 32 of them carried, from a third of the
               training videos; median over the steps of some episodes but for each one's first
first batch    the first draw, which shuffles the episode's videos; median over the episodes
reset          drawing the episode's videos from all; likewise
epoch          the order of all videos for one epoch of a parser (`torch.randperm`); likewise

Memory is that of the order of an epoch, which is as long as the training set. Needs no data set.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from rlld_agents.reports.results import markdown
from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.denoising.sampler import OverlapSampler

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def measure(videos: int, options: argparse.Namespace) -> list[str]:
    """Return a row of the table."""
    config = ProcessConfig()
    generator = np.random.default_rng(0)
    clock: Callable[[], float] = CLOCKS[options.clock]
    times: dict[str, list[float]] = {"next": [], "first": [], "reset": [], "epoch": []}
    for _ in range(options.episodes):
        start = clock()
        drawn = generator.permutation(videos)[: config.subset_size(videos)]
        times["reset"].append(clock() - start)
        sampler = OverlapSampler(drawn, config.batch_size, config.num_carried)
        for step in range(config.episode_length):
            start = clock()
            sampler.draw(generator)
            times["next" if step else "first"].append(clock() - start)
        start = clock()
        order = torch.randperm(videos)
        times["epoch"].append(clock() - start)
    shown = [f"{1000 * statistics.median(values):.3f}" for values in times.values()]
    return [f"{videos}", *shown, f"{order.nbytes / 1e6:.2f}"]


def main() -> None:
    """Measure each number of videos."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=int, nargs="+", default=[10_000, 10_000_000], help="training videos")
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help='"cpu" on a shared machine')
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [measure(videos, options) for videos in options.videos]
    print(markdown(["videos", "next batch, ms", "first batch, ms", "reset, ms", "epoch, ms", "MB"], rows))


if __name__ == "__main__":
    main()
