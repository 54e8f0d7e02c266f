"""How seconds and memory grow with the number of videos, batch size, hidden size and episode length.

OMP_NUM_THREADS=1 python benchmarks/scaling.py --repeats 3 --out runs/scaling

One of the four is changed at a time, the others stay as in `twin-small` (10000 videos, 128 a batch, 64 wide, 32
steps). More videos are `twin-small`'s repeated: 2.6 kB of features each, a twentieth of LLP's. What is timed:

videos           one epoch of the parser's training over them
batch size       `env.step` with index observations, median
hidden size      likewise
episode length   `env.reset` and all steps, validation included

Every point runs in a new process. With `--repeats`, all points are measured once before any is measured again, and
medians are written. Seconds are CPU time of one thread, which leaves out what other programs take from it, but not
that they share its caches and memory. Memory is the peak of the process's resident memory during the timed part,
data included. Exponents are fitted by least squares on the logarithms of the four largest values,
where fixed costs matter least; that of memory is of what comes on top of the smallest value's memory. Needs
Linux, whose peak of a process's memory can be reset.
"""

import argparse
import csv
import multiprocessing
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from rlld_agents.reports.results import markdown
from rlld_gym.data.catalog import clear_cache, shared_tensors
from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.files import atomic_path
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser

DATA, RECIPE, HIDDEN_SIZE = "twin-small", "compact", 64
POINTS: dict[str, tuple[int, ...]] = {
    "videos": (1000, 3000, 10000, 30000, 100000),
    "batch size": (16, 32, 64, 128, 256, 512, 1024),
    "hidden size": (32, 64, 128, 256, 512, 1024),
    "episode length": (4, 8, 16, 32, 64, 128, 256),
}
TIMED = {
    "videos": "epoch",
    "batch size": "env.step",
    "hidden size": "env.step",
    "episode length": "episode",
}
FITTED = 4
Point = dict[str, Any]


def resident(kind: str) -> float:
    """Return this process's resident memory in MB: "VmRSS" now, "VmHWM" at its peak."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(f"{kind}:"))


def repeated(data: StoreTensors, number: int) -> StoreTensors:
    """Return a data set whose training split has so many videos: the first ones, again and again."""
    train = data["train"]
    rows = torch.arange(number) % len(train)
    videos = SplitTensors(
        train.audio.index_select(0, rows),
        train.visual.index_select(0, rows),
        train.labels[rows],
        None,
        None,
        train.visual_2d_size,
    )
    return StoreTensors({"train": videos, "val": data["val"]})


def epoch(number: int) -> Callable[[], float]:
    """Return what trains a parser on so many videos for one epoch and returns the seconds."""
    data = repeated(shared_tensors(DATA, "cpu", 0), number)
    clear_cache()
    labels = data["train"].labels
    recipe = get_recipe(RECIPE).shortened(1)
    some = repeated(data, 512)
    train_parser(some, labels[:512], labels[:512], recipe, hidden_size=HIDDEN_SIZE, seed=0, keep="last")

    def run() -> float:
        start = time.process_time()
        train_parser(data, labels, labels, recipe, hidden_size=HIDDEN_SIZE, seed=0, keep="last")
        return time.process_time() - start

    return run


def rollout(whole: bool, steps: int, **arguments: Any) -> Callable[[], float]:
    """Return what plays an episode and returns the seconds of all of it, or of its median step."""
    env = gymnasium.make(
        "rlld_gym:rlld/LabelDenoising-v0", data=DATA, observation="indices", episode_length=steps, **arguments
    )
    env.reset(seed=0)
    assert env.action_space.shape is not None
    action = np.zeros(env.action_space.shape, np.int8)
    env.step(action)

    def run() -> float:
        start = time.process_time()
        env.reset()
        marks = [time.process_time()]
        for _ in range(steps):
            env.step(action)
            marks.append(time.process_time())
        # The last step also validates.
        steps_alone = [later - earlier for earlier, later in pairwise(marks[:-1])]
        return marks[-1] - start if whole else statistics.median(steps_alone)

    return run


def measure(axis: str, value: int) -> Point:
    """Measure one point, in this process."""
    if axis == "videos":
        run = epoch(value)
    elif axis == "episode length":
        run = rollout(True, value)
    else:
        run = rollout(False, 6, **{axis.replace(" ", "_"): value})
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    seconds = run()
    return {"axis": axis, "value": value, "seconds": seconds, "peak_mb": resident("VmHWM")}


def medians(points: list[Point]) -> list[Point]:
    """Return each point once, in order of first appearance, with medians of its seconds and peaks."""
    keys = dict.fromkeys((point["axis"], point["value"]) for point in points)
    same = {key: [point for point in points if (point["axis"], point["value"]) == key] for key in keys}
    return [
        {"axis": axis, "value": value}
        | {name: statistics.median(point[name] for point in found) for name in ("seconds", "peak_mb")}
        for (axis, value), found in same.items()
    ]


def alone(_: int) -> float:
    """Return the memory, in MB, of a process that has only imported what a point needs."""
    torch.ones(512, 512) @ torch.ones(512, 512)
    return resident("VmRSS")


def exponent(values: list[float], costs: list[float]) -> float:
    """Return b of the least-squares fit costs = a * values ** b."""
    slope: NDArray[np.float64] = np.polyfit(np.log(values), np.log(costs), 1)
    return float(slope[0])


def exponents(points: list[Point], axis: str) -> tuple[list[Point], float, float | None]:
    """Return an axis's points and the exponents of seconds and of memory, None where that hardly grows."""
    chosen = [point for point in points if point["axis"] == axis]
    large = chosen[-FITTED:]
    values = [point["value"] for point in large]
    grown = [point["peak_mb"] - chosen[0]["peak_mb"] for point in large]
    memory = exponent(values, grown) if min(grown) > 0 and grown[-1] > 0.1 * chosen[0]["peak_mb"] else None
    return chosen, exponent(values, [point["seconds"] for point in large]), memory


def shown(number: float | None) -> str:
    return "does not grow" if number is None else f"{number:.1f}"


def draw(points: list[Point], base: float, path: Path) -> None:
    """Draw a panel for each axis: seconds on the left, memory on the right."""
    figure, axes = plt.subplots(1, len(POINTS), figsize=(17, 4.2), layout="constrained")
    for panel, (axis, timed) in zip(axes, TIMED.items(), strict=True):
        chosen, seconds, memory = exponents(points, axis)
        values = [point["value"] for point in chosen]
        right = panel.twinx()
        lines = panel.loglog(
            values,
            [point["seconds"] for point in chosen],
            "o-",
            color="#0072b2",
            label=f"seconds, exponent {shown(seconds)}",
        )
        lines += right.loglog(
            values,
            [point["peak_mb"] for point in chosen],
            "s-",
            color="#d55e00",
            label=f"memory, exponent {shown(memory)}" if memory else "memory",
        )
        right.axhline(base, color="#d55e00", linestyle="--", linewidth=0.8)
        right.set_ylim(100, 10000)
        right.set_ylabel("peak memory (MB)", color="#d55e00")
        panel.set_xlabel(axis)
        panel.set_ylabel(f"CPU seconds ({timed})", color="#0072b2")
        panel.legend(handles=lines, frameon=False, fontsize=9, loc="upper left")
        for one in (panel, right):
            one.spines["top"].set_visible(False)
    figure.suptitle(
        f"{DATA}; where not varied: 10000 videos, 128 a batch, 64 wide, 32 steps; one thread "
        "(dashed: memory of Python and torch alone)"
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def main() -> None:
    """Measure all points, print a table of exponents and write table and figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="prefix of the CSV and PNG files")
    parser.add_argument(
        "--repeats", type=int, default=1, help="measurements of each point; medians are shown"
    )
    options = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        base = pool.map(alone, [0], chunksize=1)[0]
        work = [(axis, value) for axis, values in POINTS.items() for value in values]
        measured: list[Point] = []
        for pair in work * options.repeats:
            measured.append(pool.apply(measure, pair))
            print(measured[-1], flush=True)
    points = medians(measured)
    rows = []
    for axis, timed in TIMED.items():
        _, seconds, memory = exponents(points, axis)
        rows.append([axis, timed, shown(seconds), shown(memory)])
    print(f"\nPython and torch alone: {base:.0f} MB\n")
    print(markdown(["", "timed", "exponent of seconds", "exponent of memory"], rows))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(options.out.with_suffix(".csv")) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(points[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.5g}" if isinstance(value, float) else value for key, value in point.items()}
            for point in points
        )
    draw(points, base, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
