"""Which ways to train a parser end in the same place, whatever the seed?

python benchmarks/robust_training.py --seeds 10 --workers 2 --out runs/robust_training

Parsers are trained on the weak, the rule's and the true labels with the data set's recipe and with variants of it.
Shown are segment-level scores of the test split: mean, standard deviation and lowest over the seeds. "last epoch"
is the same training as the recipe's, without a choice of the epoch on the validation split; "mean of 3" averages
the probabilities of three of these parsers (no network twice), as an ensemble would.

The folder gets robust_training.csv with a row for each parser, robust_training.md with the table, and two folders:
a parser's scores are in ``cells/`` as soon as it is done, so that the same command goes on where it was
interrupted; parsers that are averaged are in ``parsers/``. Each process takes its share of the cores; scores of a
parser depend, by rounding, on the number of its threads.
"""

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from tqdm import tqdm

from rlld_agents.experiments.study.cells import failure_of, result_path, run_or_explain
from rlld_agents.experiments.study.sweep import results_of
from rlld_agents.labels import controls
from rlld_agents.labels.revised import LabelSet
from rlld_agents.reports.results import markdown, mean_with_spread
from rlld_agents.runs.processes import Processes, Share, available_cores
from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from rlld_gym.files import write_json, write_text
from rlld_gym.parsing.metrics import parsing_scores
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.prediction import evaluate, gated_tracks
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.task_file import TaskNetworkInfo, load_task_network, save_task_network
from rlld_gym.parsing.training import feature_sizes, network_options, train_parser

SCORES = ("segment_audio", "segment_visual")
LABELS = ("weak", "no visual Speech", "oracle")
RECIPE, LAST_EPOCH = "recipe", "last epoch"
MEMBERS = 3

Row = dict[str, Any]


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """Return the recipe and what it is compared with."""
    return {
        RECIPE: recipe,
        LAST_EPOCH: recipe,
        "gradients not clipped": recipe.replace(gradient_clip=None),
        "Adam's usual second moment, not clipped": recipe.replace(
            gradient_clip=None, second_moment_decay=0.999
        ),
        "average of the weights, .98": recipe.replace(averaging=0.98),
    }


def own_recipe(store: FeatureStore) -> Recipe:
    """Return the recipe that a data set names."""
    return get_recipe(store.header.recommended.recipe)


def label_set(store: FeatureStore, name: str) -> LabelSet | None:
    """Return weak, rule's or true labels; None where the data set does not have them."""
    train = store.split("train")
    if name == "weak":
        return controls.weak(train)
    if name == "oracle":
        return controls.oracle(train)
    return controls.no_visual_speech(train, store.header.never_visible_index)


@dataclass(frozen=True)
class ParserCell:
    """A parser to train and test.

    Attributes:
        data: name of the data set.
        labels: one of `LABELS`.
        training: one of `variants`.
        seed: of the parser.
        device: where to train.
    """

    entries: ClassVar = frozenset(("labels", "training", "seed"))

    data: str
    labels: str
    training: str
    seed: int
    device: str

    @property
    def name(self) -> str:
        """Labels and way of training."""
        return f"{self.labels}, {self.training}"

    def network_path(self, folder: Path) -> Path:
        """Return the file of the parser, if it is to be averaged."""
        return folder / "parsers" / f"{self.labels.replace(' ', '-')}-seed{self.seed}.safetensors"

    def run(self, folder: Path, progress: Share) -> Row:
        """Train, write the parser if it is to be averaged, and return the row of the table of all runs."""
        store, data = open_data(self.data), shared_tensors(self.data, self.device)
        labels = label_set(store, self.labels)
        assert labels is not None
        recipe = variants(own_recipe(store))[self.training]
        hidden_size = store.header.recommended.hidden_size
        network = train_parser(
            data,
            *labels,
            recipe,
            hidden_size=hidden_size,
            seed=self.seed,
            keep="last" if self.training == LAST_EPOCH else "best",
            progress=lambda done, total: progress(done / total),
        ).network
        if self.training == RECIPE:
            sizes = {**feature_sizes(data["train"]), "hidden_size": hidden_size, **network_options(recipe)}
            info = TaskNetworkInfo(recipe.network, sizes, recipe.gate, asdict(self))
            save_task_network(self.network_path(folder), network, info)
        scores = evaluate(network, data["test"], recipe.gate).as_dict()
        return {"labels": self.labels, "training": self.training, "seed": self.seed} | {
            score: scores[score] for score in SCORES
        }


def mean_output(networks: list[TaskNetwork], split: SplitTensors) -> ParsingOutput:
    """Return the mean probabilities of several networks on a split."""
    with torch.no_grad():
        batch = split.batch(torch.arange(len(split), device=split.labels.device))
        outputs = [network.eval()(*batch) for network in networks]
    return ParsingOutput(*(torch.stack(parts).mean(0) for parts in zip(*outputs, strict=True)))


def means(cells: list[ParserCell], folder: Path) -> Iterator[Row]:
    """Yield the scores of the mean of every three parsers trained by the recipe on the same labels."""
    for labels in dict.fromkeys(cell.labels for cell in cells):
        same = [cell for cell in cells if (cell.labels, cell.training) == (labels, RECIPE)]
        for first in range(0, len(same) - MEMBERS + 1, MEMBERS):
            members = same[first : first + MEMBERS]
            if not all(cell.network_path(folder).is_file() for cell in members):
                continue  # not done yet
            split = shared_tensors(members[0].data, members[0].device)["test"]
            assert split.dense_audio is not None
            assert split.dense_visual is not None
            loaded = [
                load_task_network(cell.network_path(folder), split.labels.device)[0] for cell in members
            ]
            tracks = gated_tracks(mean_output(loaded, split), own_recipe(open_data(members[0].data)).gate)
            scores = parsing_scores(*tracks, split.dense_audio, split.dense_visual).as_dict()
            yield {"labels": labels, "training": f"mean of {MEMBERS}", "seed": members[0].seed} | {
                score: scores[score] for score in SCORES
            }


def table(rows: list[Row]) -> str:
    """Return the rows' means, deviations and lowest scores as Markdown."""
    lines = []
    for labels, training in dict.fromkeys((row["labels"], row["training"]) for row in rows):
        same = [row for row in rows if (row["labels"], row["training"]) == (labels, training)]
        cells = [str(labels), str(training), str(len(same))]
        for score in SCORES:
            values = [float(row[score]) for row in same]
            cells += [mean_with_spread(values), f"{min(values):.1f}"]
        lines.append(cells)
    head = ["labels", "training", "runs", "segment A", "lowest A", "segment V", "lowest V"]
    return markdown(head, lines)


def train_missing(cells: list[ParserCell], folder: Path, workers: int | None) -> bool:
    """Train the parsers that are not done yet, each process one after another; return whether all are done."""
    missing = [cell for cell in cells if not result_path(folder, cell).is_file()]
    if not missing:
        return True
    workers = min(workers or available_cores(), len(missing))
    works = [partial(run_or_explain, cell, folder) for cell in missing]
    shown = "{l_bar}{bar}| {n:.1f}/{total:.0f} parsers [{elapsed}<{remaining}]"
    with (
        tqdm(total=len(missing), bar_format=shown, mininterval=2.0) as bar,
        Processes(works, workers, max(1, available_cores() // workers)) as processes,
    ):

        def advance(ended: float) -> None:
            bar.update(ended - bar.n)

        processes.wait(advance)
    failed = [cell for cell in missing if not result_path(folder, cell).is_file()]
    for cell in failed:
        print(f"{cell.name}, seed {cell.seed} failed: {failure_of(folder, cell)}", file=sys.stderr)
    return not failed


def report(cells: list[ParserCell], folder: Path) -> None:
    """Write the rows of all parsers that are done, and their table, which is also printed."""
    done = results_of(cells, folder)
    if not done:
        return
    rows = [row for results in done.values() for row in results] + list(means(cells, folder))
    labels = list(dict.fromkeys(cell.labels for cell in cells))
    rows.sort(key=lambda row: labels.index(row["labels"]))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "robust_training.csv", text.getvalue())
    write_text(folder / "robust_training.md", table(rows) + "\n")
    print(table(rows))


def check_settings(folder: Path, store: FeatureStore, device: str) -> None:
    """Note what the parsers of a folder have in common; InputError if those in it have something else."""
    settings = {
        "data": store.name,
        "hidden_size": store.header.recommended.hidden_size,
        "device": device,
        "trainings": {name: asdict(recipe) for name, recipe in variants(own_recipe(store)).items()},
    }
    path = folder / "settings.json"
    # Through JSON, which has no tuples.
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != json.loads(json.dumps(settings)):
        raise InputError(
            f"--out {folder}: holds parsers of another data set, device or recipe; choose another folder"
        )
    write_json(path, settings)


def main() -> None:
    """Train what is missing of what the command line asks for; write every run and the table, and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-small", help="data set")
    parser.add_argument(
        "--labels", nargs="+", default=["weak", "oracle"], choices=LABELS, help="label sets", metavar="NAME"
    )
    parser.add_argument("--seeds", type=int, default=10, help="parsers on each label set in each way")
    parser.add_argument("--trainings", nargs="+", help="ways of training; all by default", metavar="NAME")
    parser.add_argument("--workers", type=int, help="processes at a time; one for each core by default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/robust_training"), help="folder")
    options = parser.parse_args()
    store = open_data(options.data)
    known = list(variants(own_recipe(store)))
    if unknown := set(options.trainings or ()) - set(known):
        parser.error(f"--trainings: found {sorted(unknown)}, expected some of {known}")
    try:
        check_settings(options.out, store, options.device)
    except InputError as error:
        sys.exit(f"robust_training: {error}")
    cells = [
        ParserCell(options.data, labels, training, seed, options.device)
        for labels in options.labels
        if label_set(store, labels) is not None
        for training in options.trainings or known
        for seed in range(options.seeds)
    ]
    try:
        complete = train_missing(cells, options.out, options.workers)
    finally:
        report(cells, options.out)
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
