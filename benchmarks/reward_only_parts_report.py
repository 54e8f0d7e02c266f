"""Table, CSV and curves of `benchmarks.reward_only_parts`.

    python -m benchmarks.reward_only_parts_report runs/parts

Prints the table and writes parts.csv and figures/parts.png to the folder of the study.
"""

import argparse
import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reward_only_parts import ROWS
from rlld_agents.reports.canvas import new_figure, own_style, save_figure
from rlld_agents.reports.figures import style_axes
from rlld_agents.reports.results import csv_value, markdown, mean_with_spread
from rlld_gym.files import atomic_path, read_json


def cells(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what is done of a study's rows, by their names in `ROWS`, seed by seed."""
    paths = {name: sorted(folder.glob(f"cells/*.{name}-seed*.json")) for name in ROWS}
    return {name: [read_json(path, "a cell") for path in found] for name, found in paths.items() if found}


def table(done: dict[str, list[dict[str, Any]]]) -> str:
    """Return test scores and removals of every row, mean and deviation, in Markdown."""
    lines = []
    for name, rows in done.items():
        parts = [
            mean_with_spread(row["test"][key] for row in rows)
            for key in ("segment_audio", "segment_visual", "segment_type")
        ]
        visual = [row["removal"]["visual"] for row in rows]
        shares = [
            f"{100 * np.mean([row[key] or 0 for row in visual]):.0f} %" for key in ("precision", "recall")
        ]
        lines.append([ROWS[name], str(len(rows)), *parts, *shares])
    return markdown(["", "seeds", "segment A", "V", "Type", "visual precision", "recall"], lines)


@own_style()
def draw(done: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw the validation F-score of the environment's parser over the episodes, mean and range of the seeds."""
    figure = new_figure(10, 4)
    for axes, (column, text) in zip(
        figure.subplots(1, 2), (("segment_audio", "audio"), ("segment_visual", "visual")), strict=True
    ):
        for number, (name, rows) in enumerate(done.items()):
            curves = [row["details"]["curve"] for row in rows]
            values = np.array([curve[column] for curve in curves])
            axes.plot(
                curves[0]["episode"], values.mean(0), color=f"C{number}", label=ROWS[name], linewidth=1.5
            )
            axes.fill_between(
                curves[0]["episode"], values.min(0), values.max(0), color=f"C{number}", alpha=0.15
            )
        style_axes(axes, f"validation, segment level, {text} (%)")
        axes.set_xlabel("episode", fontsize=9)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    save_figure(figure, path)


def report(folder: Path) -> None:
    """Print the table and write CSV and figure."""
    done = cells(folder)
    if not done:
        raise SystemExit(f"{folder}: no cell of these rows is done")
    print(table(done))
    with atomic_path(folder / "parts.csv") as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        names = list(next(iter(done.values()))[0]["test"])
        writer.writerow(["row", "seed", *names, "visual_precision", "visual_recall"])
        for name, rows in done.items():
            for row in rows:
                visual = row["removal"]["visual"]
                scores = [csv_value(row["test"][key]) for key in names]
                writer.writerow(
                    [
                        ROWS[name],
                        row["seed"],
                        *scores,
                        csv_value(visual["precision"]),
                        csv_value(visual["recall"]),
                    ]
                )
    draw(done, folder / "figures" / "parts.png")


def main() -> None:
    """Report the study in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the study")
    report(parser.parse_args().folder)


if __name__ == "__main__":
    main()
