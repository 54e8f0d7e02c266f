"""Pictures of a comparison: learning curves, and the scores of the parsers in the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.reports.figures import COLOURS, INK, Path, new_figure, save_figure, style_axes
from rlld_agents.reports.statistics import bootstrap_interval, interquartile_mean

Results = Mapping[str, Sequence[Mapping[str, Any]]]
CONTROL_COLOUR = "#9a9a9a"
BAR_SCORES = (
    ("segment_visual", "Segment V"),
    ("segment_type", "Segment Type@AV"),
    ("segment_audio", "Segment A"),
)
CURVES = (
    ("return", "return of an episode"),
    ("removed_per_step", "labels removed in a step"),
    ("segment_visual", "validation segment V (%)"),
)


def plot_curves(path: Path, results: Results, title: str = "") -> None:
    """Draw what agents do over their environment steps: mean over seeds, band from the worst to the best seed.

    Args:
        path: the PNG file.
        results: the cells' results by agent; controls have no curve and are left out.
        title: what was learned on what.
    """
    agents = [name for name, rows in results.items() if rows[0]["curve"]]
    figure = new_figure(13, 4.2)
    axes = figure.subplots(1, len(CURVES))
    for axis, (key, text) in zip(axes, CURVES, strict=True):
        for index, agent in enumerate(agents):
            steps, values = _curve(results[agent], key)
            colour = COLOURS[index % len(COLOURS)]
            # Alternating styles keep curves apart that lie on each other.
            style = "--" if index % 2 else "-"
            axis.plot(steps, values.mean(axis=0), style, color=colour, label=agent, linewidth=1.6)
            axis.fill_between(
                steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0
            )
        style_axes(axis, text)
        axis.set_xlabel("environment steps")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(title, color=INK, fontsize=12, fontweight="bold")
    save_figure(figure, path)


def plot_scores(path: Path, results: Results, title: str = "") -> None:
    """Draw test scores of parsers as bars: interquartile mean over seeds with its 95 % interval, seeds as dots.

    Args:
        path: the PNG file.
        results: the cells' results by agent or control, in the order of the bars.
        title: what was compared on what.
    """
    names = list(results)
    figure = new_figure(13, 4.4)
    axes = figure.subplots(1, len(BAR_SCORES), sharey=True)
    places = np.arange(len(names))[::-1]
    for axis, (key, text) in zip(axes, BAR_SCORES, strict=True):
        everything = []
        for place, name in zip(places, names, strict=True):
            values = [row["test"][key] for row in results[name]]
            everything += values
            middle = float(interquartile_mean(values))
            low, high = bootstrap_interval(values)
            colour = COLOURS[0] if results[name][0]["curve"] else CONTROL_COLOUR
            axis.barh(place, middle, color=colour, height=0.62)
            axis.plot([low, high], [place, place], color=INK, linewidth=1.4)
            axis.plot(values, np.full(len(values), place), ".", color=INK, markersize=4, alpha=0.5)
        axis.set_xlim(0.0, min(100.0, max(everything) + 3))
        axis.set_yticks(places, names)
        style_axes(axis, text)
        axis.set_xlabel("F-score (%)")
        axis.grid(axis="y", visible=False)
    figure.suptitle(title, color=INK, fontsize=12, fontweight="bold")
    save_figure(figure, path)


def _curve(rows: Sequence[Mapping[str, Any]], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return steps (E,) and values (S, E), up to the shortest seed."""
    length = min(len(row["curve"]) for row in rows)
    steps = np.array([entry["steps"] for entry in rows[0]["curve"][:length]], np.float64)
    values = [[entry.get(key, np.nan) for entry in row["curve"][:length]] for row in rows]
    return steps, np.array(values, np.float64)
