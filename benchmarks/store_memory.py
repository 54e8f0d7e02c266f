"""Opening time and memory of a store of LLP's size: read, mapped, mapped by two processes at once, generated.

OMP_NUM_THREADS=1 python benchmarks/store_memory.py --scale full --repeats 3

A twin is written to a temporary file (643 MB at full scale), which is removed at the end. Each way is measured in
fresh processes. Opening is from the path to tensors on the CPU; a pass gathers all training videos as float32, 128
at a time, and the first one touches each page. RSS and PSS are taken afterwards, from /proc/self/smaps_rollup: PSS
counts a page that n processes use as 1/n in each. Both include Python and torch, whose part is the first row. The
limits: no way can hold less than the file's bytes, and reading cannot be faster than copying them once in memory.
"""

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from rlld_agents.reports.results import markdown
from rlld_gym.data import FeatureStore
from rlld_gym.data.twins.generation import twin

BATCH = 128
Found: TypeAlias = dict[str, float]


def megabytes() -> Found:
    """Return RSS and PSS of this process, and the most that its RSS ever was."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    sizes = {line.split(":")[0]: float(line.split()[1]) for line in lines}
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(float(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    return {
        key: 1.024e-3 * kib for key, kib in (("RSS", sizes["Rss"]), ("PSS", sizes["Pss"]), ("peak RSS", peak))
    }


def open_store(way: str, path: Path, scale: str) -> FeatureStore:
    """Return the store in one of the ways."""
    if way == "generated":
        return twin(scale)
    return FeatureStore.open(path, memory_map=way == "mapped")


def child(way: str, path: Path, scale: str, barrier: Barrier, found: Any) -> None:
    """Open, gather twice, and measure while all siblings still hold their store."""
    result: Found = {}
    if way != "nothing":
        start = time.perf_counter()
        split = open_store(way, path, scale).to("cpu")["train"]
        result["open"] = time.perf_counter() - start
        for name in ("first pass", "second pass"):
            start = time.perf_counter()
            for indices in torch.split(torch.arange(len(split)), BATCH):
                split.batch(indices)
            result[name] = time.perf_counter() - start
    barrier.wait()
    result |= megabytes()
    barrier.wait()
    found.put(result)


def measure(way: str, processes: int, path: Path, scale: str) -> Found:
    """Return the means over fresh processes that hold the store at the same time."""
    context = multiprocessing.get_context("spawn")
    barrier, queue = context.Barrier(processes), context.Queue()
    children = [
        context.Process(target=child, args=(way, path, scale, barrier, queue)) for _ in range(processes)
    ]
    for process in children:
        process.start()
    results = [queue.get(timeout=600) for _ in children]
    for process in children:
        process.join()
    return {key: statistics.mean(result[key] for result in results) for key in results[0]}


def seconds(action: Callable[[], Any]) -> float:
    """Return the time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Write a twin, measure in turns and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scale", default="full", choices=("tiny", "small", "full"))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    ways = [("nothing", 1), ("generated", 1), ("read", 1), ("read", 2), ("mapped", 1), ("mapped", 2)]
    times: dict[tuple[str, int], list[Found]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.h5"
        twin(options.scale).save(path)
        size = path.stat().st_size
        for repeat in range(options.repeats):
            for way, processes in ways:
                print(f"repetition {repeat + 1} of {options.repeats}: {way}, {processes}", file=sys.stderr)
                times[way, processes].append(measure(way, processes, path, options.scale))
        source = np.ones(size, np.uint8)
        copying = statistics.median(seconds(source.copy) for _ in range(options.repeats))
    heads = ["open", "first pass", "second pass", "RSS", "peak RSS", "PSS"]
    rows = []
    for (way, processes), results in times.items():
        cells = [
            f"{statistics.median(result[head] for result in results):.{0 if 'SS' in head else 2}f}"
            if head in results[0]
            else ""
            for head in heads
        ]
        name = {1: "", 2: ", two processes: each"}[processes]
        rows.append([("Python and torch" if way == "nothing" else way) + name, *cells])
    rows.append(["limit: bytes, copied once", f"{copying:.2f}", "", "", f"{size / 1e6:.0f}", "", ""])
    print(f"twin-{options.scale}, {size / 1e6:.0f} MB, torch {torch.__version__}; seconds, and MB\n")
    print(markdown(["store", *(f"{head} ({'MB' if 'SS' in head else 's'})" for head in heads)], rows))


if __name__ == "__main__":
    main()
