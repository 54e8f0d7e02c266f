"""A piece of work of a study, and its files."""

import re
import traceback
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rlld_agents.baselines.base import CannotOfferError
from rlld_agents.runs.processes import Share
from rlld_gym.errors import InputError
from rlld_gym.files import write_sealed_json, write_text

FOLDER_NAME = "cells"


class Cell(Protocol):
    """One row of a study with one seed; must pickle, because it may run in another process."""

    entries: ClassVar[frozenset[str]]
    """What tables need of a result, unless the cell was skipped."""

    @property
    def name(self) -> str:
        """Of the row."""

    @property
    def seed(self) -> int:
        """Of everything random in it."""

    def run(self, folder: Path, progress: Share) -> dict[str, Any]:
        """Do the work.

        Args:
            folder: of the study, for files beside the result.
            progress: called with the share that is done.

        Returns:
            The result, JSON-able.

        Raises:
            CannotOfferError: the row has nothing to show on these data; tables leave it out and say why.
        """


def result_path(folder: Path, cell: Cell) -> Path:
    """Return the file of a cell's result: it exists exactly when the cell is done."""
    return folder / FOLDER_NAME / f"{file_stem(cell)}.json"


def error_path(folder: Path, cell: Cell) -> Path:
    """Return the file in which a cell that failed says why."""
    return folder / FOLDER_NAME / f"{file_stem(cell)}.error.txt"


def run_or_explain(cell: Cell, folder: Path, progress: Share) -> bool:
    """Run a cell and write its result; where it fails, leave a report in the folder and return False."""
    error_path(folder, cell).unlink(missing_ok=True)
    try:
        write_sealed_json(result_path(folder, cell), _result_of(cell, folder, progress))
    except Exception as error:
        text = f"{error}\n" if isinstance(error, InputError) else traceback.format_exc()
        write_text(error_path(folder, cell), text)
        return False
    return True


def _result_of(cell: Cell, folder: Path, progress: Share) -> dict[str, Any]:
    """Return a cell's result, or why it has nothing to show."""
    try:
        return cell.run(folder, progress)
    except CannotOfferError as error:
        return {"method": cell.name, "seed": cell.seed, "skipped": str(error)}


def failure_of(folder: Path, cell: Cell) -> str:
    """Return why a cell failed, in a line; a cell whose process was killed leaves no report."""
    path = error_path(folder, cell)
    lines = path.read_text(encoding="utf-8").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "its process ended without a report, perhaps for want of memory"


def file_stem(cell: Cell) -> str:
    """Return what the names of a cell's files begin with."""
    return f"{re.sub(r'[^A-Za-z0-9_.+-]', '.', cell.name)}-seed{cell.seed}"
