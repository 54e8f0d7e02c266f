"""What does the environment pay for? Returns of whole episodes whose labels are all decided in one way.

    python benchmarks/reward_order.py --data twin-tiny twin-small --seeds 0 1 2 3 --out docs/results/reward_order

The deciders: keep all labels; the rule (remove every visual Speech label); the truth (remove exactly the wrong
labels); at random (as many removals as the truth has in each modality); wrong (remove as many labels that are
right). Every decider plays the same seeds, so that it meets the same videos and the same task network. Further
options change the environment, such as --inter-scale 1 or --task-start fresh. A CSV file has the episodes, a
Markdown file the table.
"""

import argparse
import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlld_gym.data import SPEECH, open_data
from rlld_gym.data.split import Split
from rlld_gym.files import atomic_path, write_text

ENVIRONMENT = "rlld_gym:rlld/LabelDenoising-v0"
COLUMNS = ("return", "audio", "visual", "segment_audio", "event_visual")
"""What a row tells of an episode: its return, those of the two branches, and the scores that pay them."""

Row = dict[str, Any]


def deciders(split: Split, seed: int) -> dict[str, NDArray[np.bool_]]:
    """Return the labels that each decider removes, (N, 2, C) bool.

    Args:
        split: training videos whose true labels are known.
        seed: of the random ones.
    """
    truth = split.truth()
    if truth is None:
        raise SystemExit(f"the true labels of {split.name} are unknown: use a twin")
    present = np.repeat(split.labels[:, None].astype(np.bool_), 2, axis=1)
    right = present & np.stack(truth, axis=1)
    wrong = present & ~right
    rule = np.zeros_like(present)
    rule[:, 1, SPEECH] = present[:, 1, SPEECH]
    generator = np.random.default_rng(seed)
    share = wrong.sum(axis=(0, 2)) / present.sum(axis=(0, 2))
    harm = np.minimum(1, wrong.sum(axis=(0, 2)) / right.sum(axis=(0, 2)))
    chance = generator.random(present.shape)
    return {
        "truth": wrong,
        "rule": rule,
        "keep": np.zeros_like(present),
        "random": present & (chance < share[:, None]),
        "wrong": right & (chance < harm[:, None]),
    }


def play(env: gymnasium.Env[Any, Any], removed: NDArray[np.bool_], seed: int) -> Row:
    """Play one episode; return its `COLUMNS`."""
    _, info = env.reset(seed=seed)
    totals = np.zeros(3)
    terminated = False
    while not terminated:
        _, reward, terminated, _, info = env.step(removed[info["indices"]])
        totals += float(reward), info["reward_audio"], info["reward_visual"]
    scores = info["segment_audio"], info["event_visual"]
    return dict(zip(COLUMNS, (*totals.tolist(), *scores), strict=True))


def measure(
    data: str, seeds: Iterable[int], note: Callable[[Row], None] = lambda _: None, **options: Any
) -> list[Row]:
    """Return a row for every decider and seed.

    Args:
        data: a twin.
        seeds: of the episodes.
        note: called with every row.
        **options: of the environment.
    """
    split = open_data(data).split("train")
    env = gymnasium.make(ENVIRONMENT, data=data, observation="indices", **options)
    rows = []
    for seed in seeds:
        for name, removed in deciders(split, seed).items():
            rows.append({"data": data, "decider": name, "seed": seed, **play(env, removed, seed)})
            note(rows[-1])
    env.close()
    return rows


def table(rows: list[Row]) -> str:
    """Return mean and standard deviation of each decider's returns and scores as a Markdown table."""
    lines = [f"| data | decider | {' | '.join(COLUMNS)} | above keep |", "|" + "---|" * (len(COLUMNS) + 3)]
    for data, name in dict.fromkeys((row["data"], row["decider"]) for row in rows):
        own, keep = (
            {row["seed"]: row for row in rows if (row["data"], row["decider"]) == (data, decider)}
            for decider in (name, "keep")
        )
        cells = [_cell([row[column] for row in own.values()]) for column in COLUMNS]
        gains = [row["return"] - keep[seed]["return"] for seed, row in own.items()]
        lines.append(f"| {data} | {name} | {' | '.join(cells)} | {_cell(gains)} |")
    return "\n".join(lines) + "\n"


def _cell(values: list[float]) -> str:
    return f"{np.mean(values):.2f} sd {np.std(values, ddof=1) if len(values) > 1 else 0:.2f}"


def main() -> None:
    """Parse the command line, measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=["twin-small"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(6)))
    parser.add_argument("--inter-scale", type=float)
    parser.add_argument("--task-start", default="pretrained")
    parser.add_argument("--task-start-epochs", type=int)
    parser.add_argument("--episode-length", type=int, default=32)
    parser.add_argument("--hidden-size", type=int)
    parser.add_argument("--recipe")
    parser.add_argument("--out", type=Path, required=True, help="prefix of the CSV and Markdown files")
    arguments = vars(parser.parse_args())
    data, seeds, out = (arguments.pop(name) for name in ("data", "seeds", "out"))
    rows = [row for name in data for row in measure(name, seeds, note=print, **arguments)]
    text = table(rows)
    print(text)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out.with_suffix(".csv")) as path, open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.5g}" if isinstance(value, float) else value for key, value in row.items()}
            for row in rows
        )
    write_text(out.with_suffix(".md"), text)


if __name__ == "__main__":
    main()
