"""Calibration of the twin: do known systems score near their published LLP rows?

Trains a parser on weak labels, on weak labels without visual Speech, and on the true modality labels, and
prints the test scores. Run one scale with

    python benchmarks/twin_calibration.py --scale small --seeds 0 1 2

A seed stands for a fresh twin (features and labels) and a fresh network.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np

from rlld_gym.data import SPEECH, FeatureStore, twin
from rlld_gym.data.twins.scales import TWIN_SCALES
from rlld_gym.files import write_json
from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.training import train_parser

ROWS = ("weak", "no_visual_speech", "oracle")


def label_sets(store: FeatureStore) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Audio and visual training labels (N, C) of each row."""
    split = store.split("train")
    without_speech = split.labels.copy()
    without_speech[:, SPEECH] = False
    truth = split.truth()
    assert truth is not None
    return {
        "weak": (split.labels, split.labels),
        "no_visual_speech": (split.labels, without_speech),
        "oracle": truth,
    }


def run(scale: str, seed: int, rows: list[str], recipe: Recipe, hidden_size: int) -> list[dict[str, object]]:
    """Train and test one parser for every row; return one record for each."""
    started = time.perf_counter()
    store = twin(scale, seed)
    made = time.perf_counter() - started
    data = store.to("cpu")
    records: list[dict[str, object]] = []
    for row in rows:
        audio, visual = label_sets(store)[row]
        started = time.perf_counter()
        parser = train_parser(data, audio, visual, recipe, hidden_size=hidden_size, seed=seed)
        scores = evaluate(parser.network, data["test"], recipe.gate).as_dict()
        seconds = time.perf_counter() - started
        records.append(
            {"scale": scale, "seed": seed, "row": row, "best_epoch": parser.best_epoch, "seconds": seconds,
             "twin_seconds": made, **scores}
        )  # fmt: skip
        print(json.dumps(records[-1]), flush=True)
    return records


def table(records: list[dict[str, object]]) -> str:
    """Return a Markdown table: mean over seeds and, for segment-level V, every seed."""
    lines = ["| training labels | " + " | ".join(SCORE_NAMES) + " | segment V per seed |"]
    lines.append("|---" * (len(SCORE_NAMES) + 2) + "|")
    for row in dict.fromkeys(str(record["row"]) for record in records):
        chosen = [record for record in records if record["row"] == row]
        means = [f"{np.mean([float(str(record[name])) for record in chosen]):.1f}" for name in SCORE_NAMES]
        seeds = " ".join(f"{float(str(record['segment_visual'])):.1f}" for record in chosen)
        lines.append(f"| {row} | " + " | ".join(means) + f" | {seeds} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, run, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", choices=TWIN_SCALES, default="small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument(
        "--recipe", help="default: JoMoLD's card without its contrastive loss for full, else the scale's"
    )
    parser.add_argument("--epochs", type=int, help="shorten the recipe to this many epochs")
    parser.add_argument("--step-size", type=int, help="epochs between decays of the learning rate")
    parser.add_argument("--hidden-size", type=int, help="default: the scale's")
    parser.add_argument(
        "--audio", type=json.loads, default={}, help="JSON overrides of the audio model, to explore"
    )
    parser.add_argument(
        "--visual", type=json.loads, default={}, help="JSON overrides of the visual model, to explore"
    )
    parser.add_argument("--lift-noise", type=float)
    parser.add_argument("--out", type=Path, help="write the records as JSON")
    arguments = parser.parse_args()

    scale = TWIN_SCALES[arguments.scale]
    TWIN_SCALES[arguments.scale] = scale = dataclasses.replace(
        scale,
        audio=dataclasses.replace(scale.audio, **arguments.audio),
        visual=dataclasses.replace(scale.visual, **arguments.visual),
        lift_noise=scale.lift_noise if arguments.lift_noise is None else arguments.lift_noise,
    )
    name = arguments.recipe or ("jomold" if arguments.scale == "full" else scale.recipe)
    recipe = get_recipe(name).replace(contrastive_weight=0.0)
    if arguments.epochs:
        recipe = recipe.shortened(arguments.epochs)
    if arguments.step_size:
        recipe = recipe.replace(step_size=arguments.step_size)
    hidden_size = arguments.hidden_size or scale.hidden_size
    records = [
        record
        for seed in arguments.seeds
        for record in run(arguments.scale, seed, arguments.rows, recipe, hidden_size)
    ]
    print(
        f"\n{arguments.scale}, width {hidden_size}, recipe {recipe.name}, {recipe.epochs} epochs\n"
        + table(records)
    )
    if arguments.out:
        write_json(arguments.out, records)


if __name__ == "__main__":
    main()
