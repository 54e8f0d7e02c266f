"""The learning curve of REINFORCE beside what fixed ways of removing labels earn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rlld_agents.reports.canvas import INK, new_figure, own_style, save_figure, write_title
from rlld_agents.reports.figures import COLOURS, style_axes

PANELS: Final = (
    ("rollout/ep_rew_mean", "return of an episode"),
    ("env/segment_visual", "validation F of the parser, segment level, visual (%)"),
)
"""Column of the log, and what the panel is called."""


@own_style()
def plot_learning_curve(
    path: Path, rows: Sequence[Mapping[str, float]], controls: Mapping[str, float], title: str
) -> None:
    """Draw returns and validation scores over the episodes, the controls' returns as lines.

    Args:
        path: the PNG file.
        rows: of a run's log, one for each update; perturbed policies play, so the learned one earns a little more.
        controls: returns of fixed ways to remove labels, by name.
        title: what was trained on what.
    """
    figure = new_figure(10, 3.8)
    episodes = [row["episode"] for row in rows]
    for axes, (column, text) in zip(figure.subplots(1, 2), PANELS, strict=True):
        axes.plot(episodes, [row[column] for row in rows], "o-", color=COLOURS[0], markersize=4, linewidth=2)
        style_axes(axes, text)
        axes.set_xlabel("episode", fontsize=9, color=INK)
        axes.xaxis.get_major_locator().set_params(integer=True)
        if column == PANELS[0][0]:
            for colour, (name, value) in zip(COLOURS[1:], controls.items(), strict=False):
                axes.axhline(value, color=colour, linewidth=1.5, linestyle="--")
                axes.annotate(
                    name,
                    (1, value),
                    xycoords=("axes fraction", "data"),
                    fontsize=8,
                    color=colour,
                    ha="right",
                    va="bottom",
                )
    write_title(figure, title)
    save_figure(figure, path)
