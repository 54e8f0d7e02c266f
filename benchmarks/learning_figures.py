r"""Two figures of docs/learning.md from benchmarks' results.csv.

    python benchmarks/learning_figures.py --methods runs/learning --dense 50=runs/dense-50 649=runs/learning \\
        --out runs/figures

methods.png: segment-level visual F-score of each row, a dot for every seed, the mean as a bar.
dense_videos.png: the same and the AUC of visual removals against the number of densely labelled validation videos,
mean and standard deviation over the seeds; weak labels, the rule and the oracle as lines.
"""

import argparse
import csv
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from rlld_agents.baselines.rows import LEARNING, ROWS
from rlld_agents.reports.canvas import new_figure, save_figure
from rlld_agents.reports.figures import COLOURS, style_axes

Results = dict[str, list[dict[str, str]]]

V = "test_segment_visual"
FORMERLY = {"joint": "imitation+rounds", "joint+label": "imitation+rounds+label"}
"""What rows were called when the runs were made, and are now."""

LABELS = {name: row.label for name, row in {**ROWS, **LEARNING}.items()}
LABELS |= {old: LABELS[new] for old, new in FORMERLY.items()}
LINES = ("weak", "no_visual_speech", "oracle")
CURVES = {"imitation": "o", "imitation+label": "s", "imitation+recombined": "D", "joint": "^"}


def read(folder: Path) -> Results:
    """Return the rows of a benchmark's results.csv by method, in the order of the file."""
    found: Results = {}
    with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row[V]:
                found.setdefault(row["method"], []).append(row)
    return found


def values(rows: Sequence[dict[str, str]], column: str) -> list[float]:
    """Return a column's numbers, without the runs that have none."""
    return [float(row[column]) for row in rows if row[column]]


def mean_and_spread(numbers: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation, 0 of a single number."""
    return statistics.mean(numbers), statistics.stdev(numbers) if len(numbers) > 1 else 0.0


def plot_methods(results: Results, path: Path) -> None:
    """Draw a bar for every method and a dot for every seed."""
    figure = new_figure(7.5, 0.34 * len(results) + 1.0)
    axes = figure.subplots()
    for place, (name, rows) in enumerate(reversed(results.items())):
        scores = values(rows, V)
        colour = COLOURS[6] if name in LINES else COLOURS[2] if name == "joint" else COLOURS[0]
        axes.barh(place, statistics.mean(scores), height=0.7, color=colour, alpha=0.45)
        axes.plot(scores, [place] * len(scores), "o", color=colour, markersize=4)
        axes.annotate(
            f"{statistics.mean(scores):.1f}",
            (0, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks(range(len(results)), [LABELS[name] for name in reversed(results)])
    axes.set_xlabel("segment-level visual F-score (%), test split", fontsize=9)
    style_axes(axes, "Parsers trained on what each method leaves; dots are seeds")
    save_figure(figure, path)


def plot_dense(points: dict[int, Results], reference: Results, path: Path) -> None:
    """Draw score and AUC against the number of dense videos."""
    figure = new_figure(9.0, 3.8)
    panels = figure.subplots(1, 2)
    titles = {
        V: "Segment-level visual F-score (%)",
        "auc_visual": "AUC of visual removals",
    }
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        for colour, (name, marker) in zip(COLOURS, CURVES.items(), strict=False):
            counts = [count for count in sorted(points) if name in points[count]]
            pairs = [mean_and_spread(values(points[count][name], column)) for count in counts]
            axes.errorbar(
                counts,
                [mean for mean, _ in pairs],
                [spread for _, spread in pairs],
                marker=marker,
                color=colour,
                capsize=3,
                linewidth=1.4,
                label=LABELS[name],
            )
        for name, numbers in _lines(reference, column):
            axes.axhline(statistics.mean(numbers), color=COLOURS[6], linestyle="--", linewidth=1)
            axes.annotate(
                LABELS[name],
                (min(points), statistics.mean(numbers)),
                va="bottom",
                fontsize=8,
                color=COLOURS[6],
            )
        axes.set_xscale("log")
        axes.set_xticks(sorted(points), [str(count) for count in sorted(points)], minor=False)
        axes.minorticks_off()
        axes.set_xlabel("densely labelled validation videos", fontsize=9)
        style_axes(axes, title)
    panels[0].legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(1, 0.08))
    save_figure(figure, path)


def _lines(reference: Results, column: str) -> Iterator[tuple[str, list[float]]]:
    """Yield the controls that have numbers in a column; the oracle's AUC is 1 by definition."""
    for name in LINES:
        numbers = values(reference.get(name, []), column)
        if numbers and not (column == "auc_visual" and name in ("weak", "oracle")):
            yield name, numbers


def main() -> None:
    """Draw what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", type=Path, required=True, help="folder of a benchmark")
    parser.add_argument("--dense", nargs="*", default=[], metavar="N=FOLDER", help="folders by number")
    parser.add_argument("--out", type=Path, required=True, help="folder for the figures")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    reference = read(options.methods)
    plot_methods(reference, options.out / "methods.png")
    folders = dict(pair.split("=", 1) for pair in options.dense)
    if folders:
        points = {int(count): read(Path(folder)) for count, folder in folders.items()}
        plot_dense(points, reference, options.out / "dense_videos.png")


if __name__ == "__main__":
    main()
