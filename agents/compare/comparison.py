"""A comparison in its folder: which cells are missing, running them, and the report of all."""

import importlib
import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rlld_agents.experiment import choose_device
from rlld_agents.run_folder import write_config
from rlld_gym.data import open_data
from rlld_gym.errors import InputError
from rlld_gym.files import write_text
from rlld_gym.parsing.recipes import get_recipe

from . import figures, report
from .backends import error_path, run_in_processes
from .bundled import check_agent
from .cell import Cell, cells_of
from .config import CompareConfig
from .protocol import load_agent_class


class Comparison:
    """Runs the cells of a comparison that are not done yet, and reports all that are.

    A folder holds config.json, ``cells/`` with one JSON file for each cell (written when it is done, so that an
    interrupted cell starts anew), ``parsers/``, compare.csv, compare.md and figures.

    Args:
        config: the options.
        folder: the folder.
        progress: show a progress bar on stderr.

    Raises:
        InputError: an agent cannot be made, or the data set cannot be used; before anything is written.
    """

    def __init__(self, config: CompareConfig, folder: Path, progress: bool = True):
        self.config = config
        self.folder = folder
        self.progress = progress
        length = config.environment.episode_length
        if config.steps < length:
            raise InputError(f"--steps: found {config.steps}, expected at least one episode of {length}")
        for name in config.agents:
            check_agent(name)
        for own in config.agent:
            load_agent_class(own)
        if config.backend == "ray":
            importlib.import_module("rlld_agents.compare.ray_backend")
        choose_device(config.device)
        self.store = open_data(config.data, config.data_seed)
        get_recipe(config.recipe or str(self.store.attributes["recipe"]))

    @property
    def command(self) -> str:
        """The command line that makes this comparison anew."""
        return shlex.join([*self.config.command_line(), "--out", str(self.folder)])

    def run(self) -> list[Cell]:
        """Run what is missing, report, and return the cells that failed."""
        data = {"name": self.store.name, "videos": len(self.store.split("train"))}
        write_config(self.folder, self.config.as_dict(), self.command, data)
        cells = cells_of(self.config)
        missing = [cell for cell in cells if not self._path(cell).is_file()]
        failed = self._run_cells(missing, len(cells)) if missing else []
        for cell in failed:
            print(
                f"rlld: warning: {cell.name}, seed {cell.seed} failed: {self._reason(cell)}", file=sys.stderr
            )
        self.report()
        return failed

    def report(self) -> None:
        """Write compare.csv, compare.md and the figures from the cells that are done, and print the tables."""
        results = self.results()
        if not results:
            raise InputError(f"{self.folder}: no cell is done; nothing to report")
        write_text(self.folder / "compare.csv", report.csv_text(results))
        number = max(len(rows) for rows in results.values())
        title = f"{self.store.name}, {self.config.steps} environment steps, {number} seed{'s' * (number > 1)}"
        if any(rows[0]["curve"] for rows in results.values()):
            figures.plot_curves(self.folder / "figures" / "curves.png", results, title)
        figures.plot_scores(self.folder / "figures" / "scores.png", results, title)
        tables = f"{title}\n\n{report.table(results)}"
        write_text(self.folder / "compare.md", f"{tables}\n\nMade with\n\n    {self.command}\n")
        print(tables)
        print(f"files and figures are in {self.folder}", file=sys.stderr)

    def results(self) -> dict[str, list[dict[str, Any]]]:
        """Return the results of all cells that are done, by agent or control."""
        results: dict[str, list[dict[str, Any]]] = {}
        names = [*self.config.agents, *self.config.agent, *self.config.controls]
        for cell in sorted(cells_of(self.config), key=lambda cell: (names.index(cell.name), cell.seed)):
            if self._path(cell).is_file():
                result = json.loads(self._path(cell).read_text(encoding="utf-8"))
                if "skipped" not in result:
                    results.setdefault(cell.name, []).append(result)
        return results

    def _run_cells(self, missing: Sequence[Cell], total: int) -> list[Cell]:
        workers = min(self.config.workers or os.cpu_count() or 1, len(missing))
        done = total - len(missing)
        with tqdm(
            total=total,
            initial=done,
            unit="cell",
            disable=not self.progress,
            file=sys.stderr,
            bar_format="{l_bar}{bar}| {n:.1f}/{total:.0f} cells [{elapsed}<{remaining}]",
        ) as bar:

            def advance(cells: float) -> None:
                bar.update(done + cells - bar.n)

            if self.config.backend == "ray":
                from .ray_backend import run_with_ray  # noqa: PLC0415 (an extra)

                return run_with_ray(self.config, missing, self.folder, workers, advance)
            return run_in_processes(self.config, missing, self.folder, workers, advance)

    def _reason(self, cell: Cell) -> str:
        """Return the last line of a failed cell's report; a cell that was killed leaves none."""
        path = error_path(self.folder, cell)
        lines = path.read_text(encoding="utf-8").strip().splitlines() if path.exists() else []
        return lines[-1] if lines else "its process ended without a report, perhaps for want of memory"

    def _path(self, cell: Cell) -> Path:
        return self.folder / "cells" / cell.file_name
