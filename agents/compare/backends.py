"""Running cells side by side in processes of this machine."""

import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.context import SpawnContext
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

from rlld_gym.errors import InputError
from rlld_gym.files import write_text

from .cell import Cell, Progress, run_cell
from .config import CompareConfig

Advance = Callable[[float], None]
POLL_SECONDS = 0.2


def run_in_processes(
    config: CompareConfig, cells: Sequence[Cell], folder: Path, workers: int, advance: Advance
) -> list[Cell]:
    """Run cells, each in a process of its own, ``workers`` at a time.

    Processes are started afresh, because a forked one hangs where its parent used torch. Each takes its share
    of the cores. A cell that fails leaves a report in the folder and does not stop the others.

    Args:
        config: the comparison.
        cells: what to run.
        folder: the comparison's folder.
        workers: processes at a time.
        advance: called with the number of cells that are done; running ones count in part.

    Returns:
        The cells that failed.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when all processes have been stopped.
    """
    context = multiprocessing.get_context("spawn")
    waiting, failed = list(cells), []
    running: list[_Running] = []
    threads = max(1, (os.cpu_count() or 1) // workers)
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when a child loads torch
    finished = 0
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_Running(context, config, waiting.pop(0), folder))
            time.sleep(POLL_SECONDS)
            for job in [job for job in running if not job.process.is_alive()]:
                running.remove(job)
                finished += 1
                if job.process.exitcode != 0:
                    failed.append(job.cell)
            advance(finished + sum(job.share.value for job in running))
    finally:
        for job in running:
            job.process.terminate()
            job.process.join()
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    return failed


class _Running:
    """A cell and its process."""

    def __init__(
        self,
        context: SpawnContext,
        config: CompareConfig,
        cell: Cell,
        folder: Path,
    ) -> None:
        self.cell = cell
        self.share = context.Value("d", 0.0)
        self.process = context.Process(target=_run, args=(config, cell, folder, self.share), daemon=True)
        self.process.start()


def _run(config: CompareConfig, cell: Cell, folder: Path, share: "Synchronized[float]") -> None:
    """Run a cell in a child process; exit with 1 where it fails."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides

    def progress(value: float) -> None:
        share.value = value

    if not run_or_explain(config, cell, folder, progress):
        raise SystemExit(1)


def run_or_explain(config: CompareConfig, cell: Cell, folder: Path, progress: Progress) -> bool:
    """Run a cell; where it fails, leave a report in the folder and return False."""
    path = error_path(folder, cell)
    path.unlink(missing_ok=True)
    try:
        run_cell(config, cell, folder, progress)
    except Exception as error:
        text = f"{error}\n" if isinstance(error, InputError) else traceback.format_exc()
        write_text(path, text)
        return False
    return True


def error_path(folder: Path, cell: Cell) -> Path:
    """Return the file in which a cell that failed says why."""
    return folder / "cells" / cell.file_name.replace(".json", ".error.txt")
