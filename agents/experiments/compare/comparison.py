"""A comparison in its folder: which cells are missing, running them, and the report of all."""

import shlex
import sys
from pathlib import Path

from rlld_agents.experiments.compare.bundled import check_agent
from rlld_agents.experiments.compare.cell import cells_of
from rlld_agents.experiments.compare.config import CompareConfig
from rlld_agents.experiments.compare.protocol import load_agent_class
from rlld_agents.experiments.experiment import choose_device
from rlld_agents.experiments.study.cells import Cell
from rlld_agents.experiments.study.sweep import check_backend, results_of, run_missing
from rlld_agents.reports import compare as report
from rlld_agents.reports import compare_figures as figures
from rlld_agents.runs.folder import write_config
from rlld_gym.data import open_data
from rlld_gym.errors import InputError
from rlld_gym.files import write_text
from rlld_gym.parsing.recipes import get_recipe


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
        check_backend(config.backend)
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
        failed = run_missing(
            cells_of(self.config),
            self.folder,
            backend=self.config.backend,
            workers=self.config.workers,
            progress=self.progress,
        )
        self.report()
        return failed

    def report(self) -> None:
        """Write compare.csv, compare.md and the figures from the cells that are done, and print the tables."""
        results = results_of(cells_of(self.config), self.folder)
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
