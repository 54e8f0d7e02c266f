"""Running the cells of a study that are not done yet, and reading the results of those that are."""

import importlib
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tqdm import tqdm

from rlld_agents.experiments.study.cells import Cell, error_path, failure_of, result_path, run_or_explain
from rlld_agents.runs.processes import Advance, Processes, available_cores

Backend = Literal["process", "ray"]


def check_backend(backend: Backend) -> None:
    """Raise InputError unless what the backend needs is installed."""
    if backend == "ray":
        importlib.import_module("rlld_agents.experiments.study.ray_tune")


def run_missing(
    cells: Sequence[Cell],
    folder: Path,
    *,
    backend: Backend = "process",
    workers: int | None = None,
    progress: bool = True,
    serve_once: bool = True,
) -> list[Cell]:
    """Run the cells that have no result yet, and say on stderr which of them failed and why.

    Args:
        cells: all cells of the study.
        folder: of the study.
        backend: processes of this machine, or Ray Tune.
        workers: cells at a time; None: as many as there are cores.
        progress: show a progress bar on stderr.
        serve_once: give every cell a process of its own, for the sake of the memory that it reports.

    Returns:
        The cells that failed.

    Raises:
        InputError: Ray is not installed.
        KeyboardInterrupt: after Ctrl-C; cells that are done stay done.
    """
    missing = [cell for cell in cells if not result_path(folder, cell).is_file()]
    if not missing:
        return []
    workers = min(workers or available_cores(), len(missing))
    done = len(cells) - len(missing)
    with tqdm(
        total=len(cells),
        initial=done,
        unit="cell",
        disable=not progress,
        file=sys.stderr,
        bar_format="{l_bar}{bar}| {n:.1f}/{total:.0f} cells [{elapsed}<{remaining}]",
    ) as bar:

        def advance(ended: float) -> None:
            bar.update(done + ended - bar.n)

        if backend == "ray":
            from rlld_agents.experiments.study.ray_tune import run_with_ray  # noqa: PLC0415 (an extra)

            run_with_ray(missing, folder, workers, advance)
        else:
            run_in_processes(missing, folder, workers, advance, serve_once=serve_once)
    failed = [cell for cell in missing if not result_path(folder, cell).is_file()]
    for cell in failed:
        print(
            f"rlld: warning: {cell.name}, seed {cell.seed} failed: {failure_of(folder, cell)} "
            f"(see {error_path(folder, cell)})",
            file=sys.stderr,
        )
    return failed


def run_in_processes(
    cells: Sequence[Cell], folder: Path, workers: int, advance: Advance, *, serve_once: bool = True
) -> None:
    """Run cells in processes, ``workers`` at a time.

    Each process takes its share of the cores. A cell that fails leaves a report in the folder and does not stop
    the others.

    Args:
        cells: what to run.
        folder: of the study.
        workers: processes at a time.
        advance: called with the number of cells that have ended; running ones count in part.
        serve_once: see `run_missing`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when all processes have been stopped.
        Exception: a cell does not pickle, or no process can be started; all processes have been stopped.
    """
    works = [partial(run_or_explain, cell, folder) for cell in cells]
    threads = max(1, available_cores() // workers)
    with Processes(works, workers, threads, serve_once=serve_once) as processes:
        processes.wait(advance)


def results_of(cells: Sequence[Cell], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the results of all cells that are done, by name in the order of the cells, seed by seed.

    Results with the key "skipped", which say why there is nothing to show, are left out.
    """
    results: dict[str, list[dict[str, Any]]] = {}
    names = list(dict.fromkeys(cell.name for cell in cells))
    for cell in sorted(cells, key=lambda cell: (names.index(cell.name), cell.seed)):
        path = result_path(folder, cell)
        if path.is_file():
            result = json.loads(path.read_text(encoding="utf-8"))
            if "skipped" not in result:
                results.setdefault(cell.name, []).append(result)
    return results
