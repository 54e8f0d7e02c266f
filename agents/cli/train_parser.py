"""``rlld train-parser``: parsers trained on labels from a file, tested."""

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlld_agents.cli.common import epochs_bar
from rlld_gym.errors import InputError
from rlld_gym.options import require_seed

if TYPE_CHECKING:
    from rlld_agents.labels.revised import LabelSet
    from rlld_gym.data.split import Split
    from rlld_gym.parsing.recipes import Recipe


@dataclass(frozen=True)
class TrainParser:
    """Train parsers on revised labels and score them on the test split (ten F-scores).

    Labels come from denoised_labels.csv, as 'rlld denoise' and 'rlld train' write it, or from a list of removed
    rows, as 'rlld denoise' and MA's code keep it: tab-separated, columns modality, class_index, train_row.
    """

    data: str
    """Data set: twin-tiny, twin-small, twin-full, or the path of a store."""
    out: Path
    """Folder for parser-seedN.safetensors, result.json and results.md."""
    labels: Path | None = None
    """The file; None: the weak labels of the data set."""
    system: str | None = None
    """A published parser by its recipe: valor, cpsp, mgn, ...; it is trained as published, or, where the data set
    recommends "compact", by its recipe for narrow features. Instead of --recipe and --task-network."""
    recipe: str | None = None
    """How to train: rlld, han, jomold, ..., or a JSON file; None: that of the task network,
    or else what the data set recommends."""
    task_network: str | None = None
    """Network to train instead of the recipe's: a name, by its own recipe where none is named; or
    my_module:MyParser; None: the recipe's."""
    epochs: int | None = None
    """Epochs, the recipe's schedule shrunk to fit; None: the recipe's own."""
    hidden_size: int | None = None
    """Width of the parser; None: what the data set recommends."""
    seeds: int = 1
    """Parsers to train, with seeds 0, 1, ...; the table shows their means."""
    tune_thresholds: bool = False
    """Choose one visual threshold a class on every other validation video, when the parser is trained (CMPAE)."""
    device: str = "auto"
    """cpu, cuda, ...; auto takes the first GPU there is."""
    data_seed: int = 0
    """Seed of a twin; no effect on a file."""

    def run(self) -> int:
        """Train, test, write and print; return the exit status."""
        from rlld_agents.runs.lock import only_writer

        self._check()
        with only_writer(self.out):
            self._check()  # another one may have come and gone in between
            self._train()
        return 0

    def _train(self) -> None:
        from rlld_agents.experiments.parsers import ParserJob, run_parser_job
        from rlld_agents.reports.results import deviation_table, epoch_note, no_test_scores, score_table
        from rlld_agents.runs.setting import Setting
        from rlld_gym.files import write_sealed_json, write_text
        from rlld_gym.parsing.threshold_tuning import check_tunable

        setting = Setting(
            self.data,
            self.data_seed,
            recipe=self._recipe(),
            task_network=self.task_network,
            hidden_size=self.hidden_size,
            epochs=self.epochs,
            device=self.device,
        )
        setting.check()
        store, recipe = setting.store, setting.recipe
        if self.tune_thresholds:
            check_tunable(store.split("val"), f"--tune-thresholds: the validation split of {store.name}")
        labels = labels_from(self.labels, store.split("train"), store.classes)
        # A file is shown by its whole name, which is no name of a label set, whatever it is called.
        name = "weak" if self.labels is None else self.labels.name
        scores = []
        for seed in range(self.seeds):
            path = self.out / f"parser-seed{seed}.safetensors"
            job = ParserJob("labels", labels, seed, path, source=name, tune_thresholds=self.tune_thresholds)
            with epochs_bar(f"parser {seed + 1}/{self.seeds}", recipe.epochs) as advance:
                scores.append(run_parser_job(job, setting, self.out, advance))
        options = {key: str(value) for key, value in dataclasses.asdict(self).items()}
        title = f"Test F-scores (%), {store.name}, recipe {recipe.name}, mean of {self.seeds} parser(s)"
        text = f"{no_test_scores(store.name)}\n"
        if all(scores):
            tables = [score_table({name: scores}), deviation_table({name: scores})]
            parts = "\n\nStandard deviation over the parsers\n\n".join(filter(None, tables))
            text = f"{title}\n\n{parts}\n"
        if note := epoch_note(store.split("val")):
            text += f"\n{note}.\n"
        write_text(self.out / "results.md", text)
        # Last: where it is, the work is done.
        result = {
            "options": options,
            "recipe": recipe.name,
            "test": scores,
            "data": store.fingerprint.as_dict(),
        }
        write_sealed_json(self.out / "result.json", result)
        print(text)
        print(f"files are in {self.out}", file=sys.stderr)

    def _recipe(self) -> "str | Recipe | None":
        """Return the recipe that the options name; None: what the data set recommends."""
        from rlld_gym.data import open_data
        from rlld_gym.parsing.recipes import system_recipe

        if self.system is None:
            return self.recipe
        recommended = open_data(self.data, self.data_seed).header.recommended
        return system_recipe(self.system, recommended.recipe)

    def _check(self) -> None:
        require_seed("--data-seed", self.data_seed)
        for option in ("recipe", "task_network"):
            if self.system is not None and getattr(self, option) is not None:
                raise InputError(
                    f"--system {self.system}: decides recipe and network; leave --{option.replace('_', '-')} out"
                )
        if (self.out / "result.json").exists():
            raise InputError(
                f"--out {self.out}: holds results already; choose another --out, or delete the folder"
            )
        for name in ("epochs", "hidden_size", "seeds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')}: found {value}, expected at least 1")
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"--out {self.out}: is a file; name a folder")


def labels_from(path: Path | None, train: "Split", classes: tuple[str, ...]) -> "LabelSet":
    """Return the labels in a file, of either form; the weak labels for None.

    Args:
        path: denoised_labels.csv or a list of removed rows; told apart by the first line.
        train: the training split that the labels are for.
        classes: the class names.

    Raises:
        InputError: an unreadable file, or one that does not fit the data set.
    """
    from rlld_agents.labels import controls
    from rlld_agents.labels.about import LabelOrigin
    from rlld_agents.labels.files import read_labels
    from rlld_agents.labels.revised import LabelSet
    from rlld_agents.labels.row_lists import COLUMNS, read_row_lists
    from rlld_gym.os_errors import require_readable

    if path is None:
        return controls.weak(train)
    require_readable(path, "a label file (--labels)")
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = next((line for line in iter(lambda: file.readline(1000), "") if line.strip()), "")
    if first.strip().split("\t")[0] == COLUMNS[0]:
        return LabelSet(
            *read_row_lists(path, train.labels, LabelOrigin(train.filenames, classes, train.labels))
        )
    return LabelSet(*read_labels(path, classes, train.filenames, train.labels))
