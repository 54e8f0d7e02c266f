"""Which batch size and learning rate suit each published parser on narrow data? One grid for all of them.

OMP_NUM_THREADS=1 python benchmarks/system_grid.py --data twin-small --out runs/system_grid

Every parser is trained on the weak labels at every point of the grid, with its compact recipe otherwise, and
validated after every epoch by the rule under which the table compares parsers (`system_cell.COMMON`). Chosen is the
point whose best epoch has the highest segment-level Type on the validation split; the test split is not looked at.

The folder gets system_grid.csv, a line for each point as it is done, and system_grid.md; the same command goes on
where it was interrupted.
"""

import argparse
import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final

from rlld_agents.baselines.systems import SYSTEMS
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.experiments.study.system_cell import COMMON, SystemCell
from rlld_agents.reports.results import markdown
from rlld_agents.runs.setting import Setting
from rlld_gym.files import write_text
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import system_recipe
from rlld_gym.parsing.training import train_parser

BATCH_SIZES: Final = (128, 32)
LEARNING_RATES: Final = (4e-3, 1e-2, 2.5e-2)


@dataclass(frozen=True)
class Point:
    """A training: what was tried, and the validation scores of its best epoch, in percent."""

    system: str
    batch_size: int
    learning_rate: float
    epochs: int
    seed: int
    segment_type: float = 0.0
    segment_audio: float = 0.0
    segment_visual: float = 0.0
    best_epoch: int = 0
    seconds: float = 0.0

    @property
    def tried(self) -> tuple[object, ...]:
        """What was tried, without what came of it."""
        return self.system, self.batch_size, self.learning_rate, self.epochs, self.seed


def points(options: argparse.Namespace, epochs: Mapping[str, int]) -> Iterator[Point]:
    """Yield all points of the grid, untrained."""
    for system in options.systems:
        for batch_size, rate, seed in product(options.batch_sizes, options.rates, range(options.seeds)):
            yield Point(system, batch_size, rate, epochs[system], seed)


def trained(point: Point, data: str) -> Point:
    """Train a parser on the weak labels at a point; processor seconds include validation."""
    study = StudyConfig(data=data, parser_epochs=point.epochs)
    setting = SystemCell(study, point.system, point.seed).setting(point.system)
    recipe = setting.recipe.replace(batch_size=point.batch_size, learning_rate=point.learning_rate)
    scores: list[Mapping[str, float]] = []

    def watch(network: TaskNetwork) -> None:
        found = evaluate(network, setting.tensors["val"], COMMON["gate"], thresholds=COMMON["thresholds"])
        scores.append(found.as_dict())

    labels = setting.tensors["train"].labels
    started, width = time.process_time(), setting.hidden_size
    train_parser(setting.tensors, labels, labels, recipe, hidden_size=width, seed=point.seed, watch=watch)
    seconds = round(time.process_time() - started, 1)
    best = max(scores, key=lambda epoch: epoch["segment_type"])
    return replace(
        point,
        segment_type=round(best["segment_type"], 2),
        segment_audio=round(best["segment_audio"], 2),
        segment_visual=round(best["segment_visual"], 2),
        best_epoch=scores.index(best) + 1,
        seconds=seconds,
    )


def read(path: Path) -> list[Point]:
    """Return the points of a file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        kinds = {name: type(value) for name, value in asdict(Point("", 0, 0.0, 0, 0)).items()}
        return [
            Point(**{name: kinds[name](text) for name, text in row.items()}) for row in csv.DictReader(file)
        ]


def table(found: Sequence[Point]) -> str:
    """Return the mean validation Type of every system at every point, the chosen one in bold."""
    combinations = list(dict.fromkeys((point.batch_size, point.learning_rate) for point in found))
    rows = []
    for system in dict.fromkeys(point.system for point in found):
        means = {}
        for combination in combinations:
            scores = [
                p.segment_type
                for p in found
                if (p.system, p.batch_size, p.learning_rate) == (system, *combination)
            ]
            means[combination] = sum(scores) / len(scores) if scores else float("nan")
        best = max(means.values())
        cells = [f"**{mean:.1f}**" if mean == best else f"{mean:.1f}" for mean in means.values()]
        seconds = sum(point.seconds for point in found if point.system == system)
        rows.append([SYSTEMS[system].label, *cells, f"{seconds:.0f}"])
    heads = [f"{batch_size} videos, {rate:g}" for batch_size, rate in combinations]
    return markdown(["system", *heads, "seconds"], rows)


def main() -> None:
    """Train what is missing of the grid; write its points and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-small", help="data set of a narrow recipe")
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=BATCH_SIZES)
    parser.add_argument("--rates", nargs="+", type=float, default=LEARNING_RATES)
    parser.add_argument("--epochs", type=int, help="by default the recipe's")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/system_grid"), help="folder")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    path, recommended = options.out / "system_grid.csv", Setting(options.data).store.header.recommended.recipe
    epochs = {name: options.epochs or system_recipe(name, recommended).epochs for name in options.systems}
    found = read(path)
    for point in points(options, epochs):
        if point.tried not in {earlier.tried for earlier in found}:
            found.append(trained(point, options.data))
            lines = [",".join(asdict(found[0])), *(",".join(map(str, asdict(p).values())) for p in found)]
            write_text(path, "\n".join(lines) + "\n")
            write_text(options.out / "system_grid.md", table(found) + "\n")
            print(found[-1], flush=True)
    print(table(found))


if __name__ == "__main__":
    main()
