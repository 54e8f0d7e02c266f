"""Running the cells of a study that are not done yet, and reading the results of those that are."""

import importlib
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rlld_agents.experiments.study.cells import Cell, error_path, failure_of, result_path, run_or_explain
from rlld_agents.experiments.study.peak_memory import reset_peak_memory
from rlld_agents.runs.processes import Advance, Processes, available_cores
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.errors import InputError
from rlld_gym.files import read_json
from rlld_gym.progress import ProgressBar

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
    own_processes: bool = True,
) -> list[Cell]:
    """Run the cells that have no result yet, and say on stderr which of them failed and why.

    Args:
        cells: all cells of the study.
        folder: of the study.
        backend: processes of this machine, or Ray Tune.
        workers: cells at a time; None: as many as there are cores.
        progress: show a progress bar on stderr.
        own_processes: give every cell a process of its own, so that the memory it reports, and whatever code from
            outside changes, is its own; otherwise a process does one after the other, where it can begin to measure
            anew.

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
    with ProgressBar(len(cells), "cell", initial=done, shown=progress, decimals=1) as bar:

        def advance(ended: float) -> None:
            bar.update_to(done + ended)

        if backend == "ray":
            from rlld_agents.experiments.study.ray_tune import run_with_ray  # noqa: PLC0415 (an extra)

            run_with_ray(missing, folder, workers, advance)
        else:
            run_in_processes(missing, folder, workers, advance, own_processes)
    failed = [cell for cell in missing if not result_path(folder, cell).is_file()]
    for cell in failed:
        report = error_path(folder, cell)
        where = f" (see {report})" if report.is_file() else ""
        print(
            f"rlld: warning: {cell.name}, seed {cell.seed} failed: {failure_of(folder, cell)}{where}",
            file=sys.stderr,
        )
    return failed


def run_in_processes(
    cells: Sequence[Cell], folder: Path, workers: int, advance: Advance, own_processes: bool = True
) -> None:
    """Run cells in processes, ``workers`` at a time.

    Each process takes its share of the cores. A cell that fails leaves a report in the folder and does not stop
    the others.

    Args:
        cells: what to run.
        folder: of the study.
        workers: processes at a time.
        advance: called with the number of cells that have ended; running ones count in part.
        own_processes: see `run_missing`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when all processes have been stopped.
        Exception: a cell does not pickle, or no process can be started; all processes have been stopped.
    """
    works = [partial(run_or_explain, cell, folder.absolute()) for cell in cells]
    threads = max(1, available_cores() // workers)
    with Processes(works, workers, threads, serve_once=own_processes or not reset_peak_memory()) as processes:
        processes.wait(advance)


def skipped_of(cells: Sequence[Cell], folder: Path) -> dict[str, str]:
    """Return why rows have nothing to show, by name."""
    paths = {cell.name: result_path(folder, cell) for cell in cells}
    found = {name: read_json(path, "the result of a cell") for name, path in paths.items() if path.is_file()}
    return {name: result["skipped"] for name, result in found.items() if "skipped" in result}


def results_of(cells: Sequence[Cell], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the results of all cells that are done, by name in the order of the cells, seed by seed.

    Results with the key "skipped", which say why there is nothing to show, are left out.
    """
    results: dict[str, list[dict[str, Any]]] = {}
    names = list(dict.fromkeys(cell.name for cell in cells))
    for cell in sorted(cells, key=lambda cell: (names.index(cell.name), cell.seed)):
        path = result_path(folder, cell)
        if path.is_file():
            result = read_json(path, "the result of a cell")
            missing = cell.entries - set(result)
            if "skipped" not in result and missing:
                raise InputError(
                    f"{path}: not the result of a cell ({', '.join(sorted(missing))} missing); "
                    "delete it and resume"
                )
            if "skipped" not in result:
                results.setdefault(cell.name, []).append(result)
    return results


def check_one_data_set(
    results: Mapping[str, Sequence[Mapping[str, Any]]], folder: Path, study: DataFingerprint
) -> None:
    """Raise InputError where cells that were to use one data set used several: no table of both.

    Args:
        results: of the cells by row; each says what identifies its data. Those of older versions do not.
        folder: of the study.
        study: the data of the study; rows may have data of their own.
    """
    first: dict[str, tuple[str, DataFingerprint]] = {"": ("the study", study)}
    for name, rows in results.items():
        for row in rows:
            if "data" not in row:
                continue
            cell = f"{name}, seed {row['seed']}"
            data = DataFingerprint.from_dict(row["data"], f"{folder}: {cell}")
            other, known = first.setdefault(str(row.get("source", "")), (cell, data))
            found = known.difference(data)
            if found is not None:
                raise InputError(
                    f"{folder}: {other} (there) and {cell} (here) used different data: {found}; "
                    "delete the results of the data that are wrong, and resume"
                )
