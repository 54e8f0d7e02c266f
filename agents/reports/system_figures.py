"""Bars of published systems on label sets, as Figures 2 to 5 of RLLD (arXiv 2412.19563) show two of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlld_agents.baselines.systems import SYSTEMS
from rlld_agents.reports.canvas import INK, new_figure, own_style, save_figure, write_title
from rlld_agents.reports.figures import COLOURS, style_axes
from rlld_gym.parsing.metrics import SCORE_COLUMNS


@own_style()
def plot_systems(
    path: Path, systems: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]], title: str
) -> None:
    """Draw a panel for each system and level: bars of five test scores for each label set, a dot for every seed.

    Args:
        path: the PNG file.
        systems: results by system and label set, one for each seed; scores are those of the common rule.
        title: what was studied on what.
    """
    per_row = min(2, len(systems))
    lines = -(-len(systems) // per_row)
    figure = new_figure(8 * per_row, 1.2 + 2.0 * lines)
    axes = np.atleast_1d(figure.subplots(lines, 2 * per_row, sharey=True, squeeze=False)).reshape(-1, 2)
    every = (run["common"] for sets in systems.values() for runs in sets.values() for run in runs)
    highest = max(max(scores.values()) for scores in every)
    names = list(dict.fromkeys(labels for sets in systems.values() for labels in sets))
    for panels, (system, sets) in zip(axes, systems.items(), strict=False):
        for axis, level in zip(panels, ("segment", "event"), strict=True):
            scores = [(key, text) for key, text in SCORE_COLUMNS if key.startswith(level)]
            for labels, runs in sets.items():
                index = names.index(labels)
                places = np.arange(len(scores)) + (index - (len(names) - 1) / 2) * 0.8 / len(names)
                values = np.array([[run["common"][key] for key, _ in scores] for run in runs])
                colour = COLOURS[index % len(COLOURS)]
                axis.bar(places, values.mean(axis=0), 0.8 / len(names), color=colour, label=labels)
                for of_seed in values:
                    axis.plot(places, of_seed, ".", color=INK, markersize=2.5, alpha=0.6)
            axis.set_xticks(range(len(scores)), [text for _, text in scores], fontsize=8)
            style_axes(axis, f"{SYSTEMS[system].label}, {level} level")
            axis.grid(axis="x", visible=False)
            axis.set_ylim(0, min(100.0, highest + 3))
    for axis in axes[len(systems) :].flat:
        axis.axis("off")
    handles = {
        text: handle
        for axis in axes.flat
        for handle, text in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        [handles[name] for name in names], names, loc="outside lower center", ncols=6, frameon=False
    )
    write_title(figure, title)
    save_figure(figure, path)
