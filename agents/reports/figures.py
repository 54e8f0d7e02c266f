"""Pictures of a run: convergence curves, final scores, and which labels were removed."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.removal import RemovalQuality
from rlld_agents.reports.canvas import INK, new_figure, own_style, save_figure, shown, write_title
from rlld_gym.data.classes import SPEECH_NAME

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Path = str | os.PathLike[str]
Curves = Mapping[str, NDArray[np.floating]]

GRID = "#dddddd"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c")
LABEL_SET_STYLE: Mapping[str, tuple[str, str]] = {
    "weak": ("weak labels", "#9a9a9a"),
    "label_smoothing": ("label smoothing", "#c7a76c"),
    "random": ("random removal", "#cc79a7"),
    "no_visual_speech": ("no visual Speech", "#e69f00"),
    "denoised": ("denoised", "#0072b2"),
    "oracle": ("oracle", "#009e73"),
}
"""Text and colour of the label sets, in the order in which tables and figures show them."""


def label_set_text(name: str, never_visible: str | None = SPEECH_NAME) -> str:
    """Return what tables and figures call a label set; a class of the data stands where LLP has Speech."""
    return LABEL_SET_STYLE.get(name, (name,))[0].replace(SPEECH_NAME, never_visible or SPEECH_NAME)


LEVELS = ("segment", "event")
COLUMNS = (
    ("audio", "Audio"),
    ("visual", "Visual"),
    ("audio_visual", "Audio-visual"),
    ("type", "Type@AV"),
    ("event", "Event@AV"),
)
CURVE_COLUMNS = (COLUMNS[0], COLUMNS[1], COLUMNS[4])


def smoothed(values: Sequence[float] | NDArray[np.floating], weight: float = 0.1) -> NDArray[np.float64]:
    """Return the exponential moving average of a curve, without the pull of its start.

    Args:
        values: (E,) one number per episode.
        weight: weight of the newest value, in (0, 1]; 1 smooths nothing.

    Returns:
        (E,) float64; entry e averages the values up to e with weights ``(1 - weight) ** age``, normalised.
    """
    result, total, norm = np.empty(len(values)), 0.0, 0.0
    for index, value in enumerate(values):
        total, norm = (1 - weight) * total + weight * float(value), (1 - weight) * norm + weight
        result[index] = total / norm
    return result


@own_style()
def plot_convergence(
    path: Path, runs: Mapping[str, Sequence[Curves]], title: str = "", smoothing: float = 0.1
) -> None:
    """Draw the validation scores over the episodes, in the style of Figures 6-11 of RLLD (arXiv 2412.19563).

    Six panels: segment and event level times audio, visual and Event@AV. A method with one run shows its
    episodes as faint dots and their moving average as a line; one with several runs shows the mean of their
    moving averages and a band of one standard deviation.

    Args:
        path: the PNG file.
        runs: per method, its runs; a run maps score names (such as "segment_audio") to (E,) percent, and
            "episode", where a value is of several, to how many had been played.
        title: what was trained on what.
        smoothing: weight of the newest value in the moving average.

    Raises:
        ValueError: if there is no episode to draw.
    """
    if not any(len(next(iter(run.values()), ())) for group in runs.values() for run in group):
        raise ValueError("no episode to draw")
    figure = new_figure(10, 5.8)
    panels = figure.subplots(2, 3, sharex=True)
    for row, level in enumerate(LEVELS):
        for column, (key, text) in enumerate(CURVE_COLUMNS):
            axes = panels[row, column]
            for colour, (name, group) in zip(COLOURS, runs.items(), strict=False):
                values = [run[f"{level}_{key}"] for run in group]
                _draw_runs(axes, values, name, colour, smoothing, episodes=group[0].get("episode"))
            style_axes(axes, f"{text}, {level} level")
            axes.xaxis.get_major_locator().set_params(integer=True)
            if column == 0:
                axes.set_ylabel("validation F (%)", color=INK)
    if len(runs) > 1:
        handles, names = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside right upper", frameon=False)
    drawn = (
        "dots: episodes" if all(len(group) == 1 for group in runs.values()) else "band: standard deviation"
    )
    figure.supxlabel(
        f"episode    ({drawn}; line: moving average, newest weighs {smoothing:g})", fontsize=9, color=INK
    )
    write_title(figure, title or "Validation scores during training")
    save_figure(figure, path)


@own_style()
def plot_scores(
    path: Path,
    scores: Mapping[str, Sequence[Mapping[str, float]]],
    title: str = "",
    never_visible: str | None = SPEECH_NAME,
) -> None:
    """Draw the ten test scores of parsers that were trained on different labels, as grouped bars.

    Args:
        path: the PNG file.
        scores: per label set, the scores (percent, by name) of one or more parser seeds. Bars are means,
            whiskers reach one standard deviation up and down where there are several.
        title: what was tested on what.
        never_visible: the class that the rule among the label sets is about.
    """
    names = in_table_order(scores)
    figure = new_figure(11, 5.8)
    width = 0.84 / max(len(names), 1)
    for axes, level in zip(figure.subplots(2, 1, sharex=True), LEVELS, strict=True):
        for position, name in enumerate(names):
            text = shown(label_set_text(name, never_visible))
            colour = LABEL_SET_STYLE.get(name, ("", COLOURS[position % len(COLOURS)]))[1]
            values = np.array([[row[f"{level}_{key}"] for key, _ in COLUMNS] for row in scores[name]])
            mean, several = values.mean(axis=0), len(values) > 1
            places = np.arange(len(COLUMNS)) + (position - (len(names) - 1) / 2) * width
            spread = values.std(axis=0, ddof=1) if several else None
            axes.bar(places, mean, width * 0.92, yerr=spread, label=text, color=colour, ecolor=INK, capsize=2)
            tops = mean if spread is None else mean + spread
            for place, top, value in zip(places, tops, mean, strict=True):
                axes.annotate(
                    f"{value:.1f}", (place, top), (0, 2), textcoords="offset points", ha="center",
                    va="bottom", fontsize=7, color=INK, rotation=90 if len(names) > 4 else 0,
                )  # fmt: skip
        style_axes(axes, f"{level.capitalize()} level")
        axes.margins(x=0.02, y=0.15)
        axes.set_ylabel("test F (%)", color=INK)
        axes.set_xticks(range(len(COLUMNS)), [text for _, text in COLUMNS])
        axes.grid(axis="x", visible=False)
    handles, texts = axes.get_legend_handles_labels()
    figure.legend(
        handles, texts, loc="outside lower center", ncols=len(names), frameon=False, title="parser trained on"
    )
    write_title(figure, title or "Test scores by training labels")
    save_figure(figure, path)


@own_style()
def plot_removal(path: Path, quality: RemovalQuality, classes: Sequence[str], title: str = "") -> None:
    """Draw a heat map of the share of labels that was removed, per class and modality.

    Where the truth is known, the true share of noisy labels stands next to it. Classes are in the data set's
    order; the number of weak labels stands behind the name.

    Args:
        path: the PNG file.
        quality: counts per class.
        classes: C names.
        title: what was denoised.
    """
    columns: list[tuple[str, NDArray[np.float64]]] = []
    for name, modality in (("audio", quality.audio), ("visual", quality.visual)):
        total = np.where(modality.labels > 0, modality.labels, np.nan)
        columns.append((f"{name}\nremoved", modality.removed / total))
        if modality.noisy is not None:
            columns.append((f"{name}\ntruly noisy", modality.noisy / total))
    rates = np.stack([rate for _, rate in columns], axis=1)
    names = [
        f"{shown(name.replace('_', ' '))}  ({count})"
        for name, count in zip(classes, quality.audio.labels, strict=True)
    ]
    longest = max(map(len, names))
    figure = new_figure(0.4 + 0.08 * longest + 1.15 * len(columns), 1.5 + 0.27 * len(classes))
    axes = figure.subplots()
    axes.imshow(rates, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), rate in np.ndenumerate(rates):
        text = "-" if np.isnan(rate) else f"{100 * rate:.0f}%"
        axes.text(
            column, row, text, ha="center", va="center", fontsize=8, color="white" if rate > 0.55 else INK
        )
    axes.set_xticks(range(len(columns)), [text for text, _ in columns])
    axes.set_yticks(range(len(classes)), names)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(0.5, len(columns) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(classes) - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    if len(columns) == 4:
        axes.axvline(1.5, color="white", linewidth=7)
    figure.supxlabel("share of the class's weak labels; in brackets their number", fontsize=9, color=INK)
    write_title(figure, title or "Removed labels per class")
    save_figure(figure, path)


def in_table_order(names: Iterable[str]) -> list[str]:
    """Return label sets in the order of tables and figures, unknown names last."""
    order = list(LABEL_SET_STYLE)
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def _draw_runs(
    axes: "Axes", runs: Sequence[Any], name: str, colour: str, smoothing: float, *, episodes: Any
) -> None:
    """Draw one method; ``episodes`` says how many had been played at each value, None: one for each."""
    length = min(len(run) for run in runs)
    lines = np.stack([smoothed(run[:length], smoothing) for run in runs])
    mean = lines.mean(axis=0)
    episodes = np.arange(1, length + 1) if episodes is None else episodes[:length]
    if len(runs) == 1:
        axes.plot(episodes, runs[0][:length], "o", markersize=3, color=colour, alpha=0.3, markeredgewidth=0)
    else:
        spread = lines.std(axis=0, ddof=1)
        axes.fill_between(episodes, mean - spread, mean + spread, color=colour, alpha=0.18, linewidth=0)
    axes.plot(episodes, mean, color=colour, linewidth=2, label=shown(name))


def style_axes(axes: "Axes", title: str) -> None:
    """Give a panel its title, a grid and the look of all figures."""
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.grid(color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
