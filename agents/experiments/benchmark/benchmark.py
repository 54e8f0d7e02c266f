"""A benchmark in its folder: running the cells that are missing, and the report of all."""

import shlex
import sys
from pathlib import Path

from rlld_agents.baselines import METHODS
from rlld_agents.experiments.benchmark.cell import BenchmarkCell
from rlld_agents.experiments.benchmark.config import BenchmarkConfig
from rlld_agents.experiments.benchmark.rows import row_of
from rlld_agents.experiments.experiment import choose_device
from rlld_agents.experiments.study.cells import Cell
from rlld_agents.experiments.study.sweep import check_backend, results_of, run_missing
from rlld_agents.reports import benchmark as report
from rlld_agents.reports import benchmark_figures as figures
from rlld_agents.reports import benchmark_tables as tables
from rlld_agents.reports.figures import plot_convergence
from rlld_agents.runs.folder import write_config
from rlld_gym.data import open_data
from rlld_gym.errors import InputError
from rlld_gym.files import write_text
from rlld_gym.parsing.recipes import get_recipe


class Benchmark:
    """Runs the cells of a benchmark that are not done yet, and reports all that are.

    A folder holds config.json, ``cells/`` with a JSON file for each cell, ``labels/`` with the labels that each
    left, results.csv, results.md, results.tex and figures.

    Args:
        config: the options.
        folder: the folder.
        progress: show a progress bar on stderr.

    Raises:
        InputError: a row is unknown or lacks its library, or the data set cannot be used; before anything is
            written.
    """

    def __init__(self, config: BenchmarkConfig, folder: Path, progress: bool = True):
        self.config = config
        self.folder = folder
        self.progress = progress
        self.names = _available(config)
        check_backend(config.backend)
        choose_device(config.device)
        self.store = open_data(config.data, config.data_seed)
        get_recipe(config.recipe or str(self.store.attributes["recipe"]))

    @property
    def command(self) -> str:
        """The command line that makes this benchmark anew."""
        return shlex.join([*self.config.command_line(), "--out", str(self.folder)])

    def cells(self) -> list[BenchmarkCell]:
        """Return all cells, seed by seed, so that all rows grow together."""
        return [BenchmarkCell(self.config, name, s) for s in range(self.config.seeds) for name in self.names]

    def run(self) -> list[Cell]:
        """Run what is missing, report, and return the cells that failed."""
        data = {"name": self.store.name, "videos": len(self.store.split("train"))}
        write_config(self.folder, self.config.as_dict(), self.command, data)
        failed = run_missing(
            self.cells(),
            self.folder,
            backend=self.config.backend,
            workers=self.config.workers,
            progress=self.progress,
        )
        self.report()
        return failed

    def report(self) -> None:
        """Write tables and figures of the cells that are done, and print the tables."""
        results = results_of(self.cells(), self.folder)
        if not results:
            raise InputError(f"{self.folder}: no cell is done; nothing to report")
        number = max(len(rows) for rows in results.values())
        title = (
            f"{self.store.name}, {len(self.store.split('train'))} training videos, "
            f"{number} seed{'s' * (number > 1)}"
        )
        text = tables.markdown_text(results, title)
        write_text(self.folder / "results.csv", report.csv_text(results, self.store.classes))
        write_text(self.folder / "results.md", f"{text}\nMade with\n\n    {self.command}\n")
        write_text(self.folder / "results.tex", report.latex_text(results, title))
        figures.plot_scores(self.folder / "figures" / "scores.png", results, title)
        figures.plot_removal(self.folder / "figures" / "removal.png", results, self.store.classes, title)
        curves = tables.curves_of(results)
        if curves:
            runs = {row_of(name).label: of_row for name, of_row in curves.items()}
            plot_convergence(self.folder / "figures" / "convergence.png", runs, title)
        print(text)
        print(f"files and figures are in {self.folder}", file=sys.stderr)


def _available(config: BenchmarkConfig) -> tuple[str, ...]:
    """Return the rows whose libraries are there; InputError where a missing one was asked for by name."""
    names = []
    for name in config.row_names():
        try:
            METHODS[row_of(name).method].load()
        except InputError as error:
            if config.methods is not None:
                raise InputError(f"--methods {name}: {error}") from error
            print(f"rlld: warning: the row {name} is left out: {error}", file=sys.stderr)
        else:
            names.append(name)
    return tuple(names)
