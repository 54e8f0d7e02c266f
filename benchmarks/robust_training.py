"""Which ways to train a parser end in the same place, whatever the seed?

python benchmarks/robust_training.py --seeds 10 --out runs/robust_training

Parsers are trained on the weak, the rule's and the true labels with the data set's recipe and with variants of it.
Shown are segment-level scores of the test split: mean, standard deviation and lowest over the seeds. "last epoch"
is the same training as the recipe's, without a choice of the epoch on the validation split; "mean of 3" averages
the probabilities of three of these parsers (no network twice), as an ensemble would.
"""

import argparse
import csv
import statistics
from collections.abc import Iterator
from pathlib import Path

import torch
from tqdm import tqdm

from rlld_agents import controls
from rlld_agents.results import markdown
from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.files import atomic_path
from rlld_gym.parsing.metrics import parsing_scores
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.prediction import evaluate, gated_tracks
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.training import train_parser

SCORES = ("segment_audio", "segment_visual")
MEMBERS = 3


def variants(recipe: Recipe) -> dict[str, Recipe]:
    """Return the recipe and what it is compared with."""
    return {
        "recipe": recipe,
        "gradients not clipped": recipe.replace(gradient_clip=None),
        "Adam's usual second moment, not clipped": recipe.replace(
            gradient_clip=None, second_moment_decay=0.999
        ),
        "average of the weights, .98": recipe.replace(averaging=0.98),
    }


def label_sets(store: FeatureStore) -> dict[str, controls.LabelSet]:
    """Return weak, rule's and true labels."""
    train = store.split("train")
    truth = controls.oracle(train)
    sets = {"weak": controls.weak(train), "no visual Speech": controls.no_visual_speech(train, store.classes)}
    return sets if truth is None else {**sets, "oracle": truth}


def mean_output(networks: list[TaskNetwork], split: SplitTensors) -> ParsingOutput:
    """Return the mean probabilities of several networks on a split."""
    with torch.no_grad():
        batch = split.batch(torch.arange(len(split)))
        outputs = [network(*batch) for network in networks]
    return ParsingOutput(*(torch.stack(parts).mean(0) for parts in zip(*outputs, strict=True)))


def runs(options: argparse.Namespace) -> Iterator[dict[str, str | int | float]]:
    """Train and test; yield a row for each parser and each mean of parsers."""
    store, data = open_data(options.data), shared_tensors(options.data, options.device)
    recipe = get_recipe(str(store.attributes["recipe"]))
    named: list[tuple[str, Recipe, bool]] = [(name, each, True) for name, each in variants(recipe).items()]
    named.insert(1, ("last epoch", recipe, False))
    sets = {name: labels for name, labels in label_sets(store).items() if name in options.labels}
    with tqdm(total=len(named) * len(sets) * options.seeds, unit="parser") as bar:
        for labels_name, labels in sets.items():
            for name, variant, choose in named:
                networks = []
                for seed in range(options.seeds):
                    network = train_parser(
                        data,
                        labels.audio,
                        labels.visual,
                        variant,
                        hidden_size=int(store.attributes["hidden_size"]),
                        seed=seed,
                        keep="best" if choose else "last",
                    ).network
                    scores = evaluate(network, data["test"], recipe.gate).as_dict()
                    yield {"labels": labels_name, "training": name, "seed": seed} | {
                        score: scores[score] for score in SCORES
                    }
                    networks.append(network)
                    bar.update()
                if name == "recipe":
                    yield from means(labels_name, networks, data["test"], recipe)


def means(
    labels: str, networks: list[TaskNetwork], split: SplitTensors, recipe: Recipe
) -> Iterator[dict[str, str | int | float]]:
    """Yield the scores of the mean of every three networks."""
    assert split.dense_audio is not None
    assert split.dense_visual is not None
    for first in range(0, len(networks) - MEMBERS + 1, MEMBERS):
        tracks = gated_tracks(mean_output(networks[first : first + MEMBERS], split), recipe.gate)
        scores = parsing_scores(*tracks, split.dense_audio, split.dense_visual).as_dict()
        yield {"labels": labels, "training": f"mean of {MEMBERS}", "seed": first} | {
            score: scores[score] for score in SCORES
        }


def table(rows: list[dict[str, str | int | float]]) -> str:
    """Return the rows' means, deviations and lowest scores as Markdown."""
    lines = []
    for labels, training in dict.fromkeys((row["labels"], row["training"]) for row in rows):
        same = [row for row in rows if (row["labels"], row["training"]) == (labels, training)]
        cells = [str(labels), str(training), str(len(same))]
        for score in SCORES:
            values = [float(row[score]) for row in same]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            cells += [f"{statistics.mean(values):.1f} ± {spread:.1f}", f"{min(values):.1f}"]
        lines.append(cells)
    head = ["labels", "training", "runs", "segment A", "lowest A", "segment V", "lowest V"]
    return markdown(head, lines)


def main() -> None:
    """Run what the command line asks for; print the table, write every run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-small", help="data set")
    parser.add_argument("--labels", nargs="+", default=["weak", "oracle"], help="label sets")
    parser.add_argument("--seeds", type=int, default=10, help="parsers on each label set in each way")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("runs/robust_training"), help="folder")
    options = parser.parse_args()
    rows = list(runs(options))
    print(table(rows))
    options.out.mkdir(parents=True, exist_ok=True)
    with atomic_path(options.out / "robust_training.csv") as path, path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
