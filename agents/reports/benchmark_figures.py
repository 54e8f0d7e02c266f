"""Pictures of a benchmark: bars of the scores, and which classes lose labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.experiments.benchmark.rows import row_of
from rlld_agents.reports.figures import COLOURS, INK, new_figure, save_figure, style_axes
from rlld_agents.reports.results import SCORE_COLUMNS

Results = Mapping[str, Sequence[Mapping[str, Any]]]
CONTROLS = ("weak", "random", "no_visual_speech", "oracle")
CONTROL_COLOUR = "#9a9a9a"


def plot_scores(path: Path, results: Results, title: str) -> None:
    """Draw the ten test scores, a panel each: bars of the mean over seeds, a dot for every seed.

    Args:
        path: the PNG file.
        results: the cells' results by row, in the order of the bars.
        title: what was benchmarked on what.
    """
    names = list(results)
    figure = new_figure(16, 2.0 + 0.42 * len(names))
    panels = figure.subplots(2, 5, sharey=True)
    places = np.arange(len(names))[::-1]
    for axis, (key, text) in zip(panels.flat, SCORE_COLUMNS, strict=True):
        values = [[row["test"][key] for row in results[name]] for name in names]
        for place, name, seeds in zip(places, names, values, strict=True):
            colour = CONTROL_COLOUR if name in CONTROLS else COLOURS[0]
            axis.barh(place, np.mean(seeds), color=colour, height=0.66)
            axis.plot(seeds, np.full(len(seeds), place), ".", color=INK, markersize=4, alpha=0.6)
        axis.set_xlim(0.0, min(100.0, np.concatenate(values).max() + 3))
        axis.set_yticks(places, [row_of(name).label for name in names], fontsize=8)
        style_axes(axis, f"{'Segment' if key.startswith('segment') else 'Event'}-level {text}")
        axis.grid(axis="y", visible=False)
    for axis in panels[1]:
        axis.set_xlabel("F-score (%)")
    figure.suptitle(title, color=INK, fontsize=12, fontweight="bold")
    save_figure(figure, path)


def plot_removal(path: Path, results: Results, classes: Sequence[str], title: str) -> None:
    """Draw a heat map per modality: the share of a class's labels that each row removes, mean over the seeds.

    Where the truth is known, the first line shows the share that is noise.

    Args:
        path: the PNG file.
        results: the cells' results by row.
        classes: the class names.
        title: what was benchmarked on what.
    """
    figure = new_figure(14, 2.4 + 0.55 * len(results))
    axes = figure.subplots(2, 1, sharex=True)
    for axis, modality in zip(axes, ("audio", "visual"), strict=True):
        lines = {row_of(name).label: _rates(rows, modality, "removed") for name, rows in results.items()}
        first = next(iter(results.values()))
        if first[0]["removal"][modality]["noisy"] is not None:
            lines = {"noise (truth)": _rates(first[:1], modality, "noisy"), **lines}
        image = axis.imshow(np.stack(list(lines.values())), aspect="auto", cmap="Blues", vmin=0, vmax=1)
        axis.set_yticks(range(len(lines)), list(lines), fontsize=8)
        axis.set_title(f"{modality} labels removed", fontsize=10, color=INK, loc="left")
        if len(lines) > len(results):
            axis.axhline(0.5, color=INK, linewidth=1)
    axes[1].set_xticks(range(len(classes)), classes, rotation=60, ha="right", fontsize=8)
    figure.colorbar(image, ax=axes, label="share of the class's labels", shrink=0.6)
    figure.suptitle(title, color=INK, fontsize=12, fontweight="bold")
    save_figure(figure, path)


def _rates(rows: Sequence[Mapping[str, Any]], modality: str, kind: str) -> NDArray[np.float64]:
    """Return (C,) shares of the labels, mean over seeds."""
    counts = [np.array(row["removal"][modality][kind], np.float64) for row in rows]
    labels = np.maximum(np.array(rows[0]["removal"][modality]["labels"], np.float64), 1)
    shares: NDArray[np.float64] = np.mean(counts, axis=0) / labels
    return shares
