"""Running cells side by side in processes of this machine."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import SpawnContext
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from .cells import Cell, run_or_explain

Advance = Callable[[float], None]
POLL_SECONDS = 0.2


def run_in_processes(cells: Sequence[Cell], folder: Path, workers: int, advance: Advance) -> None:
    """Run cells, each in a process of its own, ``workers`` at a time.

    Processes are started afresh, because a forked one hangs where its parent used torch. Each takes its share
    of the cores. A cell that fails leaves a report in the folder and does not stop the others.

    Args:
        cells: what to run.
        folder: of the study.
        workers: processes at a time.
        advance: called with the number of cells that have ended; running ones count in part.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when all processes have been stopped.
    """
    context = multiprocessing.get_context("spawn")
    waiting = list(cells)
    running: list[_Running] = []
    threads = max(1, (os.cpu_count() or 1) // workers)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when a child loads torch
    ended = 0
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_Running(context, waiting.pop(0), folder))
            time.sleep(POLL_SECONDS)
            for job in [job for job in running if not job.process.is_alive()]:
                running.remove(job)
                ended += 1
            advance(ended + sum(job.share.value for job in running))
    finally:
        for job in running:
            job.process.terminate()
            job.process.join()
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


class _Running:
    """A cell and its process."""

    def __init__(self, context: SpawnContext, cell: Cell, folder: Path) -> None:
        self.share = context.Value("d", 0.0)
        self.process = context.Process(target=_run, args=(cell, folder, self.share), daemon=True)
        self.process.start()


def _run(cell: Cell, folder: Path, share: "Synchronized[float]") -> None:
    """Run a cell in a child process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides

    def progress(value: float) -> None:
        share.value = value

    run_or_explain(cell, folder, progress)
