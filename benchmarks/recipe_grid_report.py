"""What a grid of recipes came to: the point of each row that the validation split chooses, a table, all runs."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean
from typing import Any, Final

from rlld_agents.baselines.rows import ROWS
from rlld_agents.reports.results import markdown, mean_with_spread
from rlld_gym.files import write_text
from rlld_gym.parsing.metrics import SCORE_NAMES

SHOWN: Final = ("segment_audio", "segment_visual", "segment_type", "event_visual")


@dataclass(frozen=True)
class Outcome:
    """A row's results: per point, those of the seeds that are done."""

    points: dict[str, list[dict[str, Any]]]
    score: str

    def validation(self, point: str) -> float:
        """Return the mean validation score by which points are compared."""
        return mean(float(result["validation"][self.score]) for result in self.points[point])

    @cached_property
    def chosen(self) -> str:
        """The point with the highest mean validation score."""
        return max(self.points, key=self.validation)

    @property
    def first(self) -> str:
        """The recipe's own point."""
        return next(iter(self.points))

    def test(self, score: str) -> str:
        """Return a test score of the chosen point with its spread, and in brackets the mean of the first one."""
        chosen, first = (
            [float(result["test"][score]) for result in self.points[point]]
            for point in (self.chosen, self.first)
        )
        return f"{mean_with_spread(chosen)} ({mean(first):.1f})"


def finalists(found: Mapping[str, Outcome]) -> tuple[str, ...]:
    """Return the first and the chosen point of every row."""
    return tuple(
        f"{name}@{point}"
        for name, outcome in found.items()
        for point in dict.fromkeys((outcome.first, outcome.chosen))
    )


def table(tried: Mapping[str, Outcome], found: Mapping[str, Outcome]) -> str:
    """Return the chosen points and their test scores, beside those of each row's first point.

    Args:
        tried: all points of each row.
        found: those among which was chosen in the end.
    """
    rows = []
    for name, outcome in found.items():
        cells = [
            ROWS[name].label,
            f"{len(tried[name].points)} x {len(next(iter(tried[name].points.values())))}",
            str(len(outcome.points[outcome.chosen])),
            outcome.chosen,
            f"{outcome.validation(outcome.chosen):.1f} ({outcome.validation(outcome.first):.1f})",
        ]
        rows.append([*cells, *map(outcome.test, SHOWN)])
    head = ["row", "tried", "seeds", "chosen", "validation"]
    return markdown([*head, *(f"test {score.replace('_', ' ')}" for score in SHOWN)], rows)


def report(tried: Mapping[str, Outcome], found: Mapping[str, Outcome], folder: Path) -> None:
    """Write and print the table; write the scores of all points and seeds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    splits = ("validation", "test")
    writer.writerow(
        ["row", "point", "seed", *(f"{split}_{score}" for split in splits for score in SCORE_NAMES)]
    )
    for name, outcome in tried.items():
        for point, results in {**outcome.points, **(found[name].points if name in found else {})}.items():
            for result in results:
                scores = [round(result[split][score], 4) for split in splits for score in SCORE_NAMES]
                writer.writerow([name, point, result["seed"], *scores])
    write_text(folder / "recipe_grid.csv", text.getvalue())
    write_text(folder / "recipe_grid.md", table(tried, found) + "\n")
    print(table(tried, found))
