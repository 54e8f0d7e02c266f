"""Whether memory and open files stay flat over many episodes, resets and runs.

    python benchmarks/soak.py                 # 10 000 episodes, 1000 resets of each vector form, 200 runs
    python benchmarks/soak.py --scale 0.02    # a fiftieth of that

Memory is the resident set of this process and its children. What is loaded at first use (libraries, caches) counts
as growth until a tenth of the work is done, and is shown apart.
"""

import argparse
import contextlib
import gc
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from rlld_agents.cli import main as command_line

TINY: dict[str, Any] = {"data": "twin-tiny", "batch_size": 4, "episode_length": 2, "hidden_size": 8}
RUN = ["--quick", "--preset", "paper", "--episodes", "1", "--episode-length", "2", "--batch-size", "8"]
PARSERS = ["--parser-epochs", "1", "--hidden-size", "8", "--workers", "1", "--label-sets", "denoised"]
VECTORS: dict[str, dict[str, Any]] = {
    "sync": {"id": "rlld/LabelDenoising-v0", "num_envs": 2, "vectorization_mode": "sync"},
    "async": {
        "id": "rlld/LabelDenoising-v0",
        "num_envs": 2,
        "vectorization_mode": "async",
        "vector_kwargs": {"context": "forkserver"},
    },
    "stacked": {"id": "rlld/LabelDenoisingStacked-v0", "num_envs": 2},
    "per video": {"id": "rlld/LabelDenoisingPerVideo-v0", "num_envs": 4},
    "rates": {"id": "rlld/LabelDenoisingRates-v0", "num_envs": 2, "vectorization_mode": "sync"},
}


def resident_mb() -> float:
    """Return the memory of this process and of its children, in MB."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    pages = 0
    for number in (str(os.getpid()), *children):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{number}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_files() -> int:
    """Return the number of this process's open files."""
    return len(os.listdir("/proc/self/fd"))


def watch(name: str, number: int, once: Callable[[int], None]) -> None:
    """Do something many times and print a row of a table."""
    start, (memory, files) = time.monotonic(), (resident_mb(), open_files())
    warm = max(1, number // 10)
    for index in range(number):
        once(index)
        if index + 1 == warm:
            gc.collect()
            warm_memory, warm_files = resident_mb(), open_files()
    gc.collect()
    grown = resident_mb() - warm_memory
    print(
        f"| {name} | {number} | {warm_memory - memory:+.1f} | {grown:+.1f} | {warm_files - files:+d} | "
        f"{open_files() - warm_files:+d} | {time.monotonic() - start:.0f} |",
        flush=True,
    )


def episodes(number: int) -> None:
    """Play episodes of one environment."""
    env = gymnasium.make("rlld_gym:rlld/LabelDenoising-v0", **TINY)
    shape = env.action_space.shape
    assert shape is not None
    nothing = np.zeros(shape, np.int8)

    def play(_: int) -> None:
        env.reset()
        while not env.step(nothing)[2]:
            pass

    watch("episodes", number, play)
    env.close()


def resets(number: int) -> None:
    """Reset every vector form, and make and close one in between."""
    for name, arguments in VECTORS.items():
        own = {**TINY, **arguments}
        if "PerVideo" in own["id"]:
            own["batch_size"] = own["num_envs"]
        environment = own.pop("id")
        envs = gymnasium.make_vec(f"rlld_gym:{environment}", **own)
        watch(f"resets, {name}", number, lambda index, envs=envs: envs.reset(seed=index))  # type: ignore[misc]
        envs.close()


def runs(number: int) -> None:
    """Train tiny runs, one after the other."""
    with tempfile.TemporaryDirectory() as folder:

        def train(index: int) -> None:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                assert command_line(["train", *RUN, *PARSERS, "--out", f"{folder}/{index}"]) == 0

        watch("runs", number, train)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="factor of all numbers")
    parser.add_argument("--only", nargs="+", default=["episodes", "resets", "runs"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| what | number | MB, first tenth | MB, rest | files, first tenth | files, rest | seconds |")
    print("|---|---|---|---|---|---|---|")
    for kind, part, number in (("episodes", episodes, 10_000), ("resets", resets, 1000), ("runs", runs, 200)):
        if kind in options.only:
            part(max(2, round(number * options.scale)))


if __name__ == "__main__":
    main()
