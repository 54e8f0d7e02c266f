"""A store of 200 000 videos in one file and in shards: seconds and memory to write, check, open and play.

OMP_NUM_THREADS=1 nice -n 5 python benchmarks/sharded_store.py --videos 200000 --videos-per-shard 20000

The videos are a twin's of `twin-small`'s feature sizes (2.56 kB each in float16), without dense labels and teachers
of training videos, as LLP is. Two copies are written to a temporary folder (1.3 GB in all), which is removed at the
end. Every line is a process of its own; seconds are its CPU time of one thread, with the files in the page cache.
Opening and episodes are timed the second time, when all modules are loaded. Memory comes from /proc/self/status:
the peak of resident memory, and what of it at the end is anonymous (the process's own) or of files (pages of maps,
which the system takes back when it needs them). Episodes begin with a new parser (`task_start="fresh"`), whose time
has nothing to do with the number of videos; their rewards must be equal in all ways. Needs Linux.
"""

import argparse
import dataclasses
import multiprocessing
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import gymnasium
import numpy as np
import torch

from rlld_agents.reports.results import markdown
from rlld_gym.data import FeatureStore
from rlld_gym.data.classes import SPLITS
from rlld_gym.data.store.check import check_store
from rlld_gym.data.store.shards.writing import write_shards
from rlld_gym.data.twins.generation import twin
from rlld_gym.data.twins.scales import TWIN_SCALES

BATCHES, BATCH, STEPS = 512, 128, 8
Found: TypeAlias = dict[str, float]


def memory() -> Found:
    """Return resident memory in MB: its peak, and what is anonymous or of files now."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    keys = {"peak": "VmHWM", "anonymous": "RssAnon", "of files": "RssFile"}
    return {name: 1.024e-3 * float(sizes[key]) for name, key in keys.items()}


def seconds(action: Callable[[], Any]) -> float:
    """Return the CPU time of a call."""
    start = time.process_time()
    action()
    return time.process_time() - start


def make(path: Path, videos: int) -> None:
    """Write a twin of so many training videos as one file."""
    TWIN_SCALES["many"] = dataclasses.replace(
        TWIN_SCALES["small"], name="many", videos=(videos, *TWIN_SCALES["small"].videos[1:])
    )
    store = twin("many")
    bare: dict[str, Any] = dict.fromkeys(("dense_audio", "dense_visual", "teacher_audio", "teacher_visual"))
    splits = {name: store.split(name) for name in SPLITS}
    splits["train"] = dataclasses.replace(splits["train"], **bare)
    FeatureStore(
        splits,
        classes=store.classes,
        visual_2d_size=store.visual_2d_size,
        attributes={key: store.attributes[key] for key in ("hidden_size", "recipe", "sources")},
        name="twin-many",
    ).save(path)


def draw(way: str, path: Path) -> Found:
    """Open a store, gather random batches and play an episode."""
    store = FeatureStore.open(path, memory_map=way == "mapped")
    found: Found = {"open": seconds(lambda: FeatureStore.open(path, memory_map=way == "mapped"))}
    found["tensors"] = seconds(lambda: store.to("cpu"))
    train = store.to("cpu")["train"]
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(train), (BATCHES, BATCH), generator=generator)
    found["batches"] = seconds(lambda: deque((train.batch(indices) for indices in rows), maxlen=1))
    return found | memory()


def play(path: Path) -> Found:
    """Play an episode with a seed, after one that is not measured."""
    env = gymnasium.make(
        "rlld_gym:rlld/LabelDenoising-v0",
        data=str(path),
        observation="indices",
        episode_length=STEPS,
        task_start="fresh",
    )
    rewards: list[float] = []

    def run() -> None:
        rewards.clear()
        env.reset(seed=0)
        assert env.action_space.shape is not None
        for _ in range(STEPS):
            rewards.append(float(env.step(np.zeros(env.action_space.shape, np.int8))[1]))

    run()
    return {"episode": seconds(run), "reward": sum(rewards)} | memory()


def child(task: str, way: str, place: Path, options: argparse.Namespace) -> Found:
    """Do one thing in this process and return what was measured."""
    single, folder = place / "store.h5", place / "shards"
    path = folder if way == "sharded" else single
    if task == "make":
        result = {"seconds": seconds(lambda: make(single, options.videos))} | memory()
    elif task == "shard":
        source = FeatureStore.open(single, memory_map=True)
        result = {
            "seconds": seconds(lambda: write_shards(source, folder, options.videos_per_shard))
        } | memory()
    elif task == "check":
        problems: list[str] = []
        result = {"seconds": seconds(lambda: problems.extend(check_store(path)))} | memory()
        assert not problems, problems
    else:
        result = memory() if way == "nothing" else draw(way, path) if task == "draw" else play(path)
    return result


def measure(task: str, way: str, place: Path, options: argparse.Namespace) -> Found:
    """Return what a new process measures."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        found = process.submit(child, task, way, place, options).result()
    print(f"{task}, {way}: {found}", file=sys.stderr)
    return found


def main() -> None:
    """Write both stores, measure each way once and print two tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=int, default=200_000)
    parser.add_argument("--videos-per-shard", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        single, folder = place / "store.h5", place / "shards"
        rows = []
        for what, task, way in (
            ("make the twin and write one file", "make", "read"),
            ("`rlld data shard`", "shard", "read"),
            ("`rlld data check`, one file", "check", "read"),
            ("`rlld data check`, shards", "check", "sharded"),
        ):
            found = measure(task, way, place, options)
            rows.append([what, *(f"{found[key]:.1f}" for key in ("seconds",)), *memory_cells(found)])
        sizes = single.stat().st_size / 1e6, sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        shards, index = len(list(folder.glob("*.h5"))), (folder / "index.json").stat().st_size / 1e3
        print(
            f"{options.videos} videos: {sizes[0]:.0f} MB;"
            f" {shards} shards: {sizes[1]:.0f} MB, index {index:.0f} kB\n"
        )
        print(markdown(["work", "CPU (s)", *MEMORY], rows))
        rows = [
            [
                "Python and torch alone",
                *[""] * 4,
                *memory_cells(measure("draw", "nothing", place, options)),
            ]
        ]
        rewards: set[float] = set()
        for way in ("read", "mapped", "sharded"):
            drawn = measure("draw", way, place, options)
            cells = [f"{drawn[key]:.3f}" for key in ("open", "tensors", "batches")]
            rows.append([way, *cells, "", *memory_cells(drawn)])
        for way in ("read", "sharded"):
            played = measure("play", way, place, options)
            rewards.add(played["reward"])
            rows.append([f"{way}, an episode", *[""] * 3, f"{played['episode']:.1f}", *memory_cells(played)])
        assert len(rewards) == 1, f"rewards differ: {rewards}"
    heads = ["open (s)", "tensors (s)", f"{BATCHES} batches (s)", f"{STEPS} steps (s)"]
    print("\n" + markdown(["store", *heads, *MEMORY], rows))
    print(f"\nequal rewards, {rewards.pop():.6f} in all; torch {torch.__version__}")


MEMORY = ["peak (MB)", "anonymous (MB)", "of files (MB)"]


def memory_cells(found: Found) -> list[str]:
    """Return the cells of memory of a row."""
    return [f"{found[key]:.0f}" for key in ("peak", "anonymous", "of files")]


if __name__ == "__main__":
    main()
