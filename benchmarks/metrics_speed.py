"""What the ten scores of a test split cost, against the protocol written out video by video and class by class.

OMP_NUM_THREADS=1 python -m benchmarks.metrics_speed --videos 1200 --repeats 9        (from the checkout's root)

Ours is timed on NumPy arrays and on tensors, just before the reference (tests/parsing/naive_metrics.py); ratios are
taken within a repetition, medians over repetitions. Beside them two limits of this machine, measured in the same
run: reading the four tracks once at memory bandwidth, and the elementary operations that counting takes, on a byte
each, as fast as torch takes a minimum in cache. For each segment and each of 3 tracks these are 7 for the predicted
and for the true side (run lengths from both ends, number of segments and of events) and 10 for the pair; then, for
each class, a product, a quotient, a limit and a sum at both levels in 4 columns.
"""

import argparse
import statistics
import sys
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlld_agents.reports.results import markdown
from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS
from rlld_gym.parsing.metrics import parsing_scores
from tests.parsing.naive_metrics import naive_scores


def seconds(action: Callable[[], Any], repeats: int = 1) -> float:
    """Return the shortest of a few times of one call; short calls are repeated for a fifth of a second."""
    timer = timeit.Timer(action)
    number, total = timer.autorange()
    return min([total, *timer.repeat(repeats - 1, number)]) / number


def draw_tracks(videos: int, seed: int) -> list[NDArray[np.bool_]]:
    """Return predicted and true tracks, (N, T, C) each, as full as LLP's: one or two classes a track, in runs."""
    generator = np.random.default_rng(seed)
    present = generator.random((2, videos, 1, len(CLASSES))) < 1.5 / len(CLASSES)
    starts, ends = np.sort(generator.integers(0, NUM_SEGMENTS + 1, (2, 2, videos, len(CLASSES))), axis=0)
    segments = np.arange(NUM_SEGMENTS)[:, None]
    true = present & (segments >= starts[:, :, None]) & (segments < ends[:, :, None])
    predicted = true & (generator.random(true.shape) < 0.8) | (generator.random(true.shape) < 0.01)
    return [*predicted, *true]


def measure_limits(videos: int) -> tuple[float, float]:
    """Return the seconds for reading the four tracks once, and for all elementary operations in cache."""
    large = torch.zeros(256 * 2**20, dtype=torch.int8).view(torch.int64)
    bandwidth = large.nbytes / seconds(large.sum, 5)
    row = torch.zeros(2**16, dtype=torch.int8)
    out = torch.empty_like(row)
    speed = row.numel() / seconds(lambda: torch.minimum(row, row, out=out), 5)
    rows = videos * len(CLASSES)
    operations = rows * (3 * NUM_SEGMENTS * (2 * 7 + 10) + 2 * 4 * 4)
    return 4 * rows * NUM_SEGMENTS / bandwidth, operations / speed


def main() -> None:
    """Check that both agree, time them in turns and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=int, default=1200)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    arrays = draw_tracks(options.videos, options.seed)
    tensors = [torch.from_numpy(track) for track in arrays]
    np.testing.assert_allclose(parsing_scores(*arrays).table, naive_scores(*arrays)[0], rtol=0, atol=2e-5)
    ways: dict[str, Callable[[], Any]] = {
        "ours, tensors": lambda: parsing_scores(*tensors),
        "ours, NumPy arrays": lambda: parsing_scores(*arrays),
    }
    times: dict[str, list[float]] = {"reference": [], **{name: [] for name in ways}}
    for repeat in range(options.repeats):
        print(f"repetition {repeat + 1} of {options.repeats}", file=sys.stderr)
        for name, way in ways.items():
            times[name].append(seconds(way))
        times["reference"].append(timeit.timeit(lambda: naive_scores(*arrays), number=1))
    rows = []
    for name, found in times.items():
        ratios = [slow / fast for slow, fast in zip(times["reference"], found, strict=True)]
        spread = f"{min(ratios):.0f} to {max(ratios):.0f}"
        rows.append(
            [name, f"{1e3 * statistics.median(found):.2f}", f"{statistics.median(ratios):.0f}", spread]
        )
    reading, computing = measure_limits(options.videos)
    ours = statistics.median(times["ours, tensors"])
    for name, limit in (("limit: tracks read once", reading), ("limit: operations in cache", computing)):
        rows.append([name, f"{1e3 * limit:.3f}", "", f"ours takes {ours / limit:.0f} x as long"])
    print(
        f"{options.videos} videos, {NUM_SEGMENTS} segments, {len(CLASSES)} classes; torch {torch.__version__}, "
        f"NumPy {np.__version__}, {torch.get_num_threads()} threads\n"
    )
    print(markdown(["ten scores", "ms", "reference / ours", "range"], rows))


if __name__ == "__main__":
    main()
