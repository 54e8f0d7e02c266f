"""Pictures of a study: bars of the scores, learning curves, and which classes lose labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.baselines.rows import is_control, label_of
from rlld_agents.reports.benchmark import Results
from rlld_agents.reports.canvas import INK, new_figure, own_style, save_figure, shown, write_title
from rlld_agents.reports.figures import COLOURS, style_axes
from rlld_agents.reports.statistics import bootstrap_interval, interquartile_mean
from rlld_gym.data.classes import SPEECH_NAME
from rlld_gym.parsing.metrics import SCORE_COLUMNS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONTROL_COLOUR = "#9a9a9a"
INTERVAL_SCORES = (
    ("segment_visual", "Segment V"),
    ("segment_type", "Segment Type@AV"),
    ("segment_audio", "Segment A"),
)
CURVES = (
    ("return", "return of an episode"),
    ("removed_per_step", "labels removed in a step"),
    ("segment_visual", "validation segment V (%)"),
)


@own_style()
def plot_scores(path: Path, results: Results, title: str, never_visible: str | None = SPEECH_NAME) -> None:
    """Draw the ten test scores, a panel each: bars of the mean over seeds, a dot for every seed.

    Args:
        path: the PNG file.
        results: the cells' results by row, in the order of the bars.
        title: what was studied on what.
        never_visible: the class that the rule among the rows is about.
    """
    figure = new_figure(16, 2.0 + 0.42 * len(results))
    panels = figure.subplots(2, 5, sharey=True)
    names = [shown(label_of(name, never_visible)) for name in results]
    for axis, (key, text) in zip(panels.flat, SCORE_COLUMNS, strict=True):
        places = _bars(axis, results, key, interval=False)
        axis.set_yticks(places, names, fontsize=8)
        style_axes(axis, f"{'Segment' if key.startswith('segment') else 'Event'}-level {text}")
        axis.grid(axis="y", visible=False)
    for axis in panels[1]:
        axis.set_xlabel("F-score (%)")
    write_title(figure, title)
    save_figure(figure, path)


@own_style()
def plot_intervals(path: Path, results: Results, title: str) -> None:
    """Draw three test scores as bars: interquartile mean over seeds with its 95 % interval, seeds as dots.

    Args:
        path: the PNG file.
        results: the cells' results by row, in the order of the bars.
        title: what was studied on what.
    """
    figure = new_figure(13, 4.4)
    axes = figure.subplots(1, len(INTERVAL_SCORES), sharey=True)
    for axis, (key, text) in zip(axes, INTERVAL_SCORES, strict=True):
        axis.set_yticks(_bars(axis, results, key, interval=True), [shown(name) for name in results])
        style_axes(axis, text)
        axis.set_xlabel("F-score (%)")
        axis.grid(axis="y", visible=False)
    write_title(figure, title)
    save_figure(figure, path)


@own_style()
def plot_curves(path: Path, results: Results, title: str = "") -> None:
    """Draw what agents do over their environment steps: mean over seeds, band from the worst to the best seed.

    Dotted lines are what controls earn.

    Args:
        path: the PNG file.
        results: the cells' results by row; rows without a curve are left out.
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
            axis.plot(steps, values.mean(axis=0), style, color=colour, label=shown(agent), linewidth=1.6)
            axis.fill_between(
                steps, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.15, linewidth=0
            )
        for name, value in _played(results).items() if key == "return" else ():
            axis.axhline(value, color="0.5", linewidth=0.8, linestyle=":")
            axis.annotate(
                shown(name),
                (1, value),
                xycoords=("axes fraction", "data"),
                fontsize=7,
                ha="right",
                va="bottom",
            )
        style_axes(axis, text)
        axis.set_xlabel("environment steps")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    write_title(figure, title)
    save_figure(figure, path)


@own_style()
def plot_removal(
    path: Path,
    results: Results,
    classes: Sequence[str],
    title: str,
    never_visible: str | None = SPEECH_NAME,
) -> None:
    """Draw a heat map per modality: the share of a class's labels that each row removes, mean over the seeds.

    Where the truth is known, the first line shows the share that is noise.

    Args:
        path: the PNG file.
        results: the cells' results by row.
        classes: the class names.
        title: what was benchmarked on what.
        never_visible: the class that the rule among the rows is about.
    """
    figure = new_figure(14, 2.4 + 0.55 * len(results))
    axes = figure.subplots(2, 1, sharex=True)
    for axis, modality in zip(axes, ("audio", "visual"), strict=True):
        lines = {
            label_of(name, never_visible): _rates(rows, modality, "removed") for name, rows in results.items()
        }
        first = next(iter(results.values()))
        if first[0]["removal"][modality]["noisy"] is not None:
            lines = {"noise (truth)": _rates(first[:1], modality, "noisy"), **lines}
        image = axis.imshow(np.stack(list(lines.values())), aspect="auto", cmap="Blues", vmin=0, vmax=1)
        axis.set_yticks(range(len(lines)), [shown(name) for name in lines], fontsize=8)
        axis.set_title(f"{modality} labels removed", fontsize=10, color=INK, loc="left")
        if len(lines) > len(results):
            axis.axhline(0.5, color=INK, linewidth=1)
    axes[1].set_xticks(
        range(len(classes)), [shown(name) for name in classes], rotation=60, ha="right", fontsize=8
    )
    figure.colorbar(image, ax=axes, label="share of the class's labels", shrink=0.6)
    write_title(figure, title)
    save_figure(figure, path)


def _bars(axis: "Axes", results: Results, key: str, *, interval: bool) -> NDArray[np.int64]:
    """Draw a bar for each row, controls in grey; return their places."""
    places = np.arange(len(results))[::-1]
    everything: list[float] = []
    for place, (name, rows) in zip(places, results.items(), strict=True):
        values = [row["test"][key] for row in rows]
        everything += values
        middle = float(interquartile_mean(values)) if interval else np.mean(values)
        colour = CONTROL_COLOUR if is_control(name) else COLOURS[0]
        axis.barh(place, middle, color=colour, height=0.62 if interval else 0.66)
        if interval:
            axis.plot(bootstrap_interval(values), [place, place], color=INK, linewidth=1.4)
        axis.plot(
            values, np.full(len(values), place), ".", color=INK, markersize=4, alpha=0.5 if interval else 0.6
        )
    axis.set_xlim(0.0, min(100.0, max(everything) + 3))
    return places


def _rates(rows: Sequence[Mapping[str, Any]], modality: str, kind: str) -> NDArray[np.float64]:
    """Return (C,) shares of the labels, mean over seeds."""
    counts = [np.array(row["removal"][modality][kind], np.float64) for row in rows]
    labels = np.maximum(np.array(rows[0]["removal"][modality]["labels"], np.float64), 1)
    shares: NDArray[np.float64] = np.mean(counts, axis=0) / labels
    return shares


def _played(results: Results) -> dict[str, float]:
    """Return the mean return of each control that was played in the environment."""
    played = {name: [row["return"] for row in rows if "return" in row] for name, rows in results.items()}
    return {name: float(np.mean(values)) for name, values in played.items() if values}


def _curve(rows: Sequence[Mapping[str, Any]], key: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return steps (E,) and values (S, E), up to the shortest seed."""
    length = min(len(row["curve"]) for row in rows)
    steps = np.array([entry["steps"] for entry in rows[0]["curve"][:length]], np.float64)
    values = [[entry.get(key, np.nan) for entry in row["curve"][:length]] for row in rows]
    return steps, np.array(values, np.float64)
