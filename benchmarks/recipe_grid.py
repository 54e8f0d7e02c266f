"""Which smoothing, learning rate and number of epochs suit each row? Chosen on the validation split, for all alike.

python -m benchmarks.recipe_grid --data twin-small --seeds 1 --one-at-a-time --final-seeds 5 --out runs/recipe_grid

Every row is trained at every point of one grid, as often as every other row: three ways of smoothing visual labels
(`smoothings`), times factors of the recipe's learning rate (`--rates`), times factors of its number of epochs
(`--epochs`); with `--one-at-a-time` only those that differ from the first in one of the three.
Chosen is the point with the highest mean validation score (`--score`) over the seeds; of equal ones, the first.
With `--final-seeds` the first point and the chosen one then have so many seeds, and the better of the two is chosen
in the same way. Test scores are shown of the chosen point, and in brackets of the first one.

Parsers vary, those of a method and those that are tested; rewards do not: the environment keeps the recipe, so
that of `rlld` the last parser is what a point changes.

The folder gets recipe_grid.csv with the scores of every row at every point and seed, recipe_grid.md with the table,
and cells/ with what is done: the same command goes on where it was interrupted.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from benchmarks.recipe_grid_report import Outcome, finalists, report
from rlld_agents.baselines.rows import ROWS, Row
from rlld_agents.experiments.study.config import StudyConfig
from rlld_agents.experiments.study.study import cells_of
from rlld_agents.experiments.study.sweep import results_of, run_missing
from rlld_agents.runs.folder import CONFIG_NAME, read_config, write_config
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES

DEFAULT_ROWS: Final = (
    "weak", "weak+cl", "label_smoothing", "no_visual_speech", "no_visual_speech+cl", "co_teaching", "jocor",
    "cleanlab", "ma", "ma+cl", "jomold", "jomold+cl", "rlld", "rlld+cl", "supervised", "imitation+rounds", "joint",
    "joint+cl", "oracle", "oracle+cl",
)  # fmt: skip


class Smoothing(NamedTuple):
    """A way of smoothing visual labels: options of the method, and the confidence of the recipe's parser."""

    label: str
    options: Mapping[str, Any]
    recipe: float = 1.0


def smoothings(method: str) -> tuple[Smoothing, Smoothing, Smoothing]:
    """Return the three ways of smoothing that a row tries: its own where the recipe has none, and two more."""
    if method == "label_smoothing":  # without, it is the row of the weak labels
        first, second, third = (Smoothing(f"{c}", {"visual_confidence": c}) for c in (0.9, 0.95, 0.8))
        return first, second, third
    if method.startswith("jomold"):
        return (
            Smoothing("none", {"estimator_confidence": 1.0, "parser_confidence": 1.0}),
            Smoothing("estimator-only-0.9", {"estimator_confidence": 0.9, "parser_confidence": 1.0}),
            Smoothing("all-0.9", {"estimator_confidence": 0.9, "parser_confidence": 0.9}),
        )
    if method.startswith("ma"):
        return (
            Smoothing("base-only-0.9", {"base_confidence": 0.9}),
            Smoothing("none", {"base_confidence": 1.0}),
            Smoothing("all-0.9", {"base_confidence": 0.9}, 0.9),
        )
    return Smoothing("none", {}), Smoothing("0.95", {}, 0.95), Smoothing("0.9", {}, 0.9)


@dataclass(frozen=True)
class GridConfig(StudyConfig):
    """A study whose rows are points of the grid, named ROW@SMOOTHING,rateFACTOR,epochsFACTOR."""

    command: ClassVar[str] = "python -m benchmarks.recipe_grid"
    noun: ClassVar[str] = "grid"
    # Points are named by what they are, so a grid may grow.
    changeable: ClassVar[frozenset[str]] = StudyConfig.changeable | {"rates", "epochs", "one_at_a_time"}

    rates: tuple[float, ...] = (1.0, 0.5, 2.0)
    """Factors of the recipe's learning rate."""
    epochs: tuple[float, ...] = (1.0, 2.0)
    """Factors of its number of epochs."""
    one_at_a_time: bool = False
    """Whether points that differ from the first in more than one of the three are left out."""

    def row(self, name: str) -> Row:
        """Return the row of a point; InputError where the grid has no such point."""
        base, _, point = name.partition("@")
        if point not in self.points(base):
            raise InputError(f"{name}: no point of the grid")
        return self.points(base)[point]

    def points(self, base: str) -> dict[str, Row]:
        """Return a row at all points, by their names."""
        row, recipe = ROWS[base], self.setting(self.data, self.data_seed).recipe
        grid = list(product(smoothings(row.method), self.rates, self.epochs))
        if self.one_at_a_time:
            grid = [point for point in grid if sum(a != b for a, b in zip(point, grid[0], strict=True)) <= 1]
        return {
            f"{way.label},rate{rate:g},epochs{factor:g}": replace(
                row,
                options={**row.options, **way.options},
                recipe={"visual_confidence": way.recipe, "learning_rate": rate * recipe.learning_rate},
                study={"parser_epochs": max(1, round(factor * recipe.epochs))},
            )
            for way, rate, factor in grid
        }


def outcomes(config: GridConfig, names: tuple[str, ...], folder: Path, score: str) -> dict[str, Outcome]:
    """Return what is done, by row; a row counts when all its points have the same seeds."""
    found: dict[str, Outcome] = {}
    for base in dict.fromkeys(name.partition("@")[0] for name in names):
        mine = tuple(name for name in names if name.startswith(f"{base}@"))
        done = results_of(cells_of(config, mine), folder)
        if (
            len(done) == len(mine)
            and len({tuple(r["seed"] for r in results) for results in done.values()}) == 1
        ):
            found[base] = Outcome({name.partition("@")[2]: results for name, results in done.items()}, score)
    return found


def note(config: GridConfig, folder: Path) -> None:
    """Write what the trainings of a folder have in common; InputError if those in it have something else."""
    store = config.setting().store
    if (folder / CONFIG_NAME).exists():
        earlier = read_config(folder, GridConfig.command)["experiment"]
        config.check_resumes(GridConfig.from_dict(earlier, str(folder / CONFIG_NAME)))
    data = {"name": store.name, "videos": len(store.split("train"))}
    write_config(folder, config.as_dict(), shlex.join(config.command_line()), data)


def main() -> None:
    """Train what is missing of what the command line asks for, and report the rows that are complete."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-small", help="data set")
    parser.add_argument("--recipe", help="by default that of the data set")
    parser.add_argument("--hidden-size", type=int, help="by default that of the data set")
    parser.add_argument("--methods", nargs="+", choices=ROWS, default=DEFAULT_ROWS, metavar="ROW")
    parser.add_argument("--rates", nargs="+", type=float, default=GridConfig.rates, metavar="FACTOR")
    parser.add_argument("--epochs", nargs="+", type=float, default=GridConfig.epochs, metavar="FACTOR")
    parser.add_argument(
        "--one-at-a-time", action="store_true", help="leave out what differs from the first point in two ways"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--final-seeds", type=int, help="of a row's first and best point; by default no more")
    parser.add_argument(
        "--score", choices=SCORE_NAMES, default="segment_type", help="on the validation split"
    )
    parser.add_argument("--workers", type=int, help="processes at a time; one for each core by default")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, default=Path("runs/recipe_grid"), help="folder")
    options = parser.parse_args()
    try:
        if options.final_seeds is not None and options.final_seeds < options.seeds:
            raise InputError(
                f"--final-seeds {options.final_seeds}: expected at least --seeds {options.seeds}"
            )
        config = GridConfig(
            data=options.data,
            recipe=options.recipe,
            hidden_size=options.hidden_size,
            rates=tuple(options.rates),
            epochs=tuple(options.epochs),
            one_at_a_time=options.one_at_a_time,
            seeds=options.seeds,
            device=options.device,
        )
        note(config, options.out)
        names = tuple(f"{base}@{point}" for base in options.methods for point in config.points(base))
        failed = run_missing(cells_of(config, names), options.out, workers=options.workers)
        tried = outcomes(config, names, options.out, options.score)
        found = tried
        if options.final_seeds is not None:
            config, names = replace(config, seeds=options.final_seeds), finalists(tried)
            failed += run_missing(cells_of(config, names), options.out, workers=options.workers)
            found = outcomes(config, names, options.out, options.score)
    except InputError as error:
        sys.exit(f"recipe_grid: {error}")
    report(tried, found, options.out)
    if failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
