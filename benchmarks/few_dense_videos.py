"""Test scores against the number of dense validation videos: table, CSV and picture of studies that are done.

    rlld benchmark --dense-videos 100 --methods rlld imitation imitation+recombined joint --out runs/dense-100
    python -m benchmarks.few_dense_videos 100=runs/dense-100 649=runs/all,runs/joint --out docs/results/few_dense

Folders of one number, joined by commas, are read together, and so is the CSV file of an earlier call
(649=docs/results/few_dense.csv,runs/joint); where several hold a row's seed, the last one counts.
"""

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any, Final

from rlld_agents.reports.canvas import new_figure, own_style, save_figure
from rlld_agents.reports.figures import COLOURS, style_axes
from rlld_agents.reports.results import csv_value, markdown, mean_with_spread
from rlld_gym.files import atomic_path, read_json

ROWS: Final = {
    "imitation": "imitation",
    "imitation+recombined": "imitation, recombined",
    "rlld": "reward alone",
    "joint": "joint",
}
SCORES: Final = ("segment_audio", "segment_visual", "segment_type")
V: Final = "segment_visual"

Cells = dict[str, dict[int, dict[str, Any]]]
"""Of one number of videos: row -> seed -> what the cell found."""


def read_cells(count: int, places: list[Path]) -> Cells:
    """Return the rows that folders of studies, and CSV files of this program, hold of a number of videos."""
    found: Cells = {}
    for folder in places:
        for row in ROWS:
            if folder.suffix == ".csv":
                found.setdefault(row, {}).update(_read_csv(folder, count, row))
            for path in sorted(folder.glob(f"cells/{row}-seed*.json")):
                cell = read_json(path, "a cell")
                found.setdefault(row, {})[cell["seed"]] = cell
    return found


def _read_csv(path: Path, count: int, row: str) -> dict[int, dict[str, Any]]:
    """Return what `write_csv` wrote of a row at a number of videos, by seed."""
    with open(path, newline="", encoding="utf-8") as file:
        lines = [
            line for line in csv.DictReader(file) if (line["dense_videos"], line["row"]) == (str(count), row)
        ]
    return {
        int(line["seed"]): {
            "test": {key: float(line[key]) for key in SCORES},
            "removal": {"visual": {key: float(line[f"visual_{key}"]) for key in ("precision", "recall")}},
        }
        for line in lines
    }


def table(points: dict[int, Cells]) -> str:
    """Return V of every row at every number of videos, mean and deviation over the seeds, in Markdown."""
    lines = []
    for row, label in ROWS.items():
        entries = []
        for _, cells in sorted(points.items()):
            scores = [cell["test"][V] for cell in cells.get(row, {}).values()]
            entries.append(f"{mean_with_spread(scores)} ({len(scores)})" if scores else "")
        lines.append([label, *entries])
    return markdown(["V (seeds)", *(str(count) for count in sorted(points))], lines)


def write_csv(points: dict[int, Cells], path: Path) -> None:
    """Write a line for every row, number of videos and seed."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["dense_videos", "row", "seed", *SCORES, "visual_precision", "visual_recall"])
        for count, cells in sorted(points.items()):
            for row, seeds in cells.items():
                for seed, cell in sorted(seeds.items()):
                    visual = cell["removal"]["visual"]
                    numbers = [cell["test"][key] for key in SCORES] + [visual["precision"], visual["recall"]]
                    writer.writerow([count, row, seed, *(csv_value(number) for number in numbers)])


@own_style()
def draw(points: dict[int, Cells], path: Path) -> None:
    """Draw V against the number of dense videos: means as lines, seeds as dots."""
    figure = new_figure(7.0, 4.0)
    axes = figure.subplots()
    for colour, (row, label) in zip(COLOURS, ROWS.items(), strict=False):
        counts = [count for count in sorted(points) if row in points[count]]
        scores = [[cell["test"][V] for cell in points[count][row].values()] for count in counts]
        axes.plot(counts, [statistics.mean(values) for values in scores], color=colour, label=label)
        for count, values in zip(counts, scores, strict=True):
            axes.plot([count] * len(values), values, "o", color=colour, markersize=3, alpha=0.6)
    axes.set_xscale("log")
    axes.set_xticks(sorted(points), [str(count) for count in sorted(points)])
    axes.minorticks_off()
    axes.set_xlabel("dense validation videos", fontsize=9)
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    style_axes(axes, "Segment-level visual F-score (%), test split; dots are seeds")
    save_figure(figure, path)


def main() -> None:
    """Report the studies that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("studies", nargs="+", metavar="N=FOLDER[,FOLDER]", help="folders by number of videos")
    parser.add_argument("--out", type=Path, required=True, help="CSV and picture, without their endings")
    options = parser.parse_args()
    pairs = [study.split("=", 1) for study in options.studies]
    points = {
        int(count): read_cells(int(count), [Path(name) for name in names.split(",")])
        for count, names in pairs
    }
    print(table(points))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_csv(points, options.out.with_suffix(".csv"))
    draw(points, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
