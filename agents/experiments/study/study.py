"""A study in its folder: running the cells that are missing, and the report of all."""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rlld_agents.experiments.study.cell import StudyCell
from rlld_agents.experiments.study.cells import Cell
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.experiments.study.label_cell import LabelCell
from rlld_agents.experiments.study.sweep import (
    check_backend,
    check_one_data_set,
    results_of,
    run_missing,
    skipped_of,
)
from rlld_agents.experiments.study.system_cell import SystemCell
from rlld_agents.reports.results import epoch_note
from rlld_agents.reports.study import write_benchmark, write_comparison
from rlld_agents.reports.systems import write_systems
from rlld_agents.runs.folder import write_config
from rlld_agents.runs.inputs import INPUTS_KEY, input_checksums, require_same_inputs
from rlld_agents.runs.lock import only_writer
from rlld_gym.data.dense_videos import check_dense_videos
from rlld_gym.data.fingerprint import DataFingerprint, require_same
from rlld_gym.envs.options import EnvironmentArguments
from rlld_gym.errors import InputError

RowCell = StudyCell | SystemCell
"""What runs a row: a method with the study's parser, or another system on labels that are there."""

WRITERS = {"rlld benchmark": write_benchmark, "rlld compare": write_comparison}
"""What reports a study, by the command that made it."""


class Study:
    """Runs the cells of a study that are not done yet, and reports all that are.

    A folder holds config.json, ``cells/`` with a JSON file for each cell (written when it is done, so that an
    interrupted cell starts anew), ``labels/`` with the labels that each left, ``parsers/`` with the training of the
    parsers, tables in CSV, Markdown and LaTeX, and figures. Label sets that systems share are made first.

    Args:
        config: the options.
        folder: the folder.
        progress: show a progress bar on stderr.
        begun_with: what identifies the data of the study that is resumed; None: a new one, or not known.

    Raises:
        InputError: a row is unknown, lacks its library or cannot be made, or the data set cannot be used or is
            another one than the study was begun with; before anything is written.
    """

    def __init__(
        self,
        config: StudyConfig,
        folder: Path,
        progress: bool = True,
        *,
        begun_with: DataFingerprint | None = None,
    ):
        self.config = config
        self.folder = folder
        self.progress = progress
        self.names = _available(config)
        if config.dense_videos is not None and any(config.row(name).system for name in self.names):
            raise InputError(
                f"--dense-videos {config.dense_videos}: labels of the preset systems are made once for all; "
                "leave it out"
            )
        check_backend(config.backend)
        setting = config.setting()
        setting.check()
        self.store = setting.store
        if all(self.store.split(name).truth() is None for name in ("val", "test")):
            raise InputError(
                f"{self.store.name}: neither validation nor test videos have dense labels to score rows by; "
                "'rlld denoise --with METHOD' needs none"
            )
        notes = (setting.undertrained, epoch_note(self.store.split("val")), self.store.header.rule_note)
        self.notes = [note for note in notes if note]
        if any("environment" in config.row(name).takes for name in self.names):
            arguments = setting.environment_arguments() | asdict(config.environment)
            EnvironmentArguments(**arguments).process_config(
                self.store.header
            )  # refuses what no episode could use
        require_same(begun_with, self.store.fingerprint, f"{folder}: the {config.noun}")
        self.inputs = input_checksums(setting, config.recipe, config.environment.task_start)
        require_same_inputs(folder, self.inputs)
        if config.dense_videos is not None:
            check_dense_videos(self.store, config.dense_videos, config.dense_shift)

    @property
    def command(self) -> str:
        """The command line that makes this study anew."""
        return shlex.join([*self.config.command_line(), "--out", str(self.folder)])

    def cells(self) -> list[RowCell]:
        """Return the cells of all rows, seed by seed, so that all rows grow together."""
        return cells_of(self.config, self.names)

    def label_cells(self) -> list[LabelCell]:
        """Return the cells that make the labels which systems share."""
        labels = dict.fromkeys(self.config.row(name).labels for name in self.names)
        return [
            LabelCell(self.config, name, seed)
            for seed in range(self.config.seeds)
            for name in labels
            if name is not None
        ]

    def run(self) -> list[Cell]:
        """Run what is missing, report, and return the cells that failed.

        Raises:
            InputError: another process is writing to the folder, or cells in it are of other data.
        """
        with only_writer(self.folder):
            return self._run()

    def _run(self) -> list[Cell]:
        check_one_data_set(results_of(self.cells(), self.folder), self.folder, self.store.fingerprint)
        fingerprint = self.store.fingerprint.as_dict()
        videos = len(self.store.split("train"))
        data = {
            "name": self.store.name,
            "videos": videos,
            "fingerprint": fingerprint,
            INPUTS_KEY: self.inputs,
        }
        write_config(self.folder, self.config.as_dict(), self.command, data)
        failed: list[Cell] = []
        for wave in (self.label_cells(), self.cells()):
            failed += run_missing(
                wave,
                self.folder,
                backend=self.config.backend,
                workers=self.config.workers,
                progress=self.progress,
                # A check with short parsers compares no memory.
                own_processes=self.config.parser_epochs is None or self.config.has_own_code,
            )
        self.report()
        return failed

    def report(self) -> None:
        """Write tables and figures of the cells that are done, and print the tables."""
        results = results_of(self.cells(), self.folder)
        for name, reason in skipped_of(self.cells(), self.folder).items():
            print(f"rlld: the row {name} is left out: {reason}", file=sys.stderr)
        check_one_data_set(results, self.folder, self.store.fingerprint)
        if not results:
            raise InputError(f"{self.folder}: no cell is done; nothing to report")
        number = max(len(rows) for rows in results.values())
        what = self.config.subject(len(self.store.split("train")))
        title = f"{' '.join(self.store.name.split())}, {what}, {number} seed{'s' * (number > 1)}"
        if self.store.split("test").truth() is None:
            results = {name: [_judged_on_validation(row) for row in rows] for name, rows in results.items()}
            title += "; scores are of the VALIDATION videos, because the test split has no dense labels"
        of_systems = {name: rows for name, rows in results.items() if self.config.row(name).system}
        if of_systems:
            print(write_systems(self.folder, of_systems, title, self.command))
        others = {name: rows for name, rows in results.items() if name not in of_systems}
        if others:
            write = WRITERS[self.config.command]
            rule = self.store.header.never_visible
            tables = write(
                self.folder,
                others,
                title,
                self.store.classes,
                self.command,
                notes=self.notes,
                never_visible=rule,
            )
            print(tables)
        print(f"files and figures are in {self.folder}", file=sys.stderr)


def _judged_on_validation(row: dict[str, Any]) -> dict[str, Any]:
    """Return a cell's result whose tables show validation scores in the place of test scores."""
    return {**row, "test": row["validation"], "tested": False}


def cells_of(config: StudyConfig, names: tuple[str, ...]) -> list[RowCell]:
    """Return the cells of rows, seed by seed."""
    kinds: dict[str, type[RowCell]] = {
        name: SystemCell if config.row(name).system else StudyCell for name in names
    }
    return [kinds[name](config, name, seed) for seed in range(config.seeds) for name in names]


def _available(config: StudyConfig) -> tuple[str, ...]:
    """Return the rows that can be made here; InputError where one that was asked for by name cannot."""
    config.check_plugins()
    names = []
    for option, name in config.named():
        row = config.row(name)
        try:
            row.denoiser(config)
        except InputError as error:
            if option:
                raise InputError(f"{option} {name}: {error}") from error
            print(f"rlld: warning: the row {name} is left out: {error}", file=sys.stderr)
        else:
            names.append(name)
    return tuple(names)
