"""What a step looks like: a table for terminals and a picture drawn with numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.envs.rendering.font import WIDTH, text_mask

Color = tuple[int, int, int]
Canvas = NDArray[np.uint8]

MODALITIES: Final = ("audio", "visual")
CODES: Final = ("absent", "shown", "kept", "removed", "reverted")
"""What became of a label, by its number in ``Frame.codes``; "shown" labels await the first action."""

# Okabe and Ito's colours, which colour-blind people can tell apart.
COLORS: Final[dict[str, Color]] = {
    "absent": (240, 240, 240),
    "shown": (120, 120, 120),
    "kept": (0, 114, 178),
    "removed": (230, 105, 0),
    "reverted": (204, 121, 167),
}
LEGEND: Final = {
    "absent": "no label",
    "shown": "label, no action yet",
    "kept": "kept",
    "removed": "removed",
    "reverted": "given back (all were removed)",
}
INK: Final = (30, 30, 30)
MARGIN: Final = 24
LINE: Final = 26
COLUMN: Final = 20
"""Width of a class's column: a rotated line of text at scale 2 and some air."""
MANY_CLASSES: Final = 50
NARROW_COLUMN: Final = 11
"""Width of a column where there are many classes, whose names are written at scale 1."""
TITLE: Final = "{} labels, a row per video"
ROW_AXIS: Final = 50
MIN_WIDTH: Final = 1150
"""Room for the lines of text above the panels."""


@dataclass(frozen=True, eq=False)
class Frame:
    """What there is to see after a reset or a step.

    Attributes:
        step: steps done in this episode.
        episode_length: steps of an episode.
        shown: (B, 2, C) bool labels of the batch before the action; after a reset, of the first batch.
        classes: names of the C classes.
        revised: (B, 2, C) bool labels after the action; None before the first one.
        reverted: (B, 2) bool, branches whose labels were given back; None before the first action.
        rewards: the step's rewards by name, in the order in which they are shown.
        scores: the last validation F-scores in percent by name; empty before the first validation.
    """

    step: int
    episode_length: int
    shown: NDArray[np.bool_]
    classes: Sequence[str]
    revised: NDArray[np.bool_] | None = None
    reverted: NDArray[np.bool_] | None = None
    rewards: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)

    def codes(self) -> NDArray[np.uint8]:
        """Return what became of every label, (B, 2, C), as a number that indexes ``CODES``."""
        codes = np.where(self.shown, CODES.index("shown"), CODES.index("absent"))
        if self.revised is not None and self.reverted is not None:
            codes[self.shown & self.revised] = CODES.index("kept")
            codes[self.shown & ~self.revised] = CODES.index("removed")
            codes[self.shown & self.reverted[:, :, None]] = CODES.index("reverted")
        return codes.astype(np.uint8)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return, for each modality, the number of labels by what became of them (without absent ones)."""
        codes = self.codes()
        return {
            modality: {name: int((codes[:, branch] == CODES.index(name)).sum()) for name in CODES[1:]}
            for branch, modality in enumerate(MODALITIES)
        }


def draw_table(frame: Frame) -> str:
    """Return a frame as a table of plain text, ending in a newline."""
    lines = [f"step {frame.step} of {frame.episode_length}, {len(frame.shown)} videos"]
    columns = ("labels", "kept", "removed", "given back", "reward")
    lines.append(f"{'':8}" + "".join(f"{column:>12}" for column in columns))
    for modality, counts in frame.counts().items():
        cells = [str(sum(counts.values()))]
        if frame.revised is None:
            cells += ["-"] * 4
        else:
            cells += [str(counts[name]) for name in ("kept", "removed", "reverted")]
            cells.append(f"{frame.rewards[f'reward_{modality}']:.3f}")
        lines.append(f"{modality:8}" + "".join(f"{cell:>12}" for cell in cells))
    lines += _reward_lines(frame) + _score_lines(frame)
    return "\n".join(lines) + "\n"


def draw_picture(frame: Frame) -> Canvas:
    """Return a frame as a picture, drawn with numpy alone.

    Two panels, audio and visual: a row for every video of the batch, a column for every class, a colour for
    what became of the label.

    Returns:
        (height, width, 3) uint8; the size depends on the numbers of videos and the classes' names only.
    """
    videos, _, classes = frame.shown.shape
    row = max(5, min(20, 640 // videos))
    scale = 1 if classes > MANY_CLASSES else 2
    title_width = 2 * WIDTH * max(len(TITLE.format(modality)) for modality in MODALITIES)
    # Columns of few classes are wide enough for the panel's title.
    column = NARROW_COLUMN if scale == 1 else max(COLUMN, -(-title_width // classes))
    panel = (videos * row, classes * column)
    names = scale * WIDTH * max(len(name) for name in frame.classes)
    top = MARGIN + 6 * LINE
    width = max(MIN_WIDTH, 2 * (ROW_AXIS + panel[1] + MARGIN) + MARGIN)
    canvas = np.full((top + LINE + panel[0] + names + 2 * MARGIN, width, 3), 255, np.uint8)

    _write(canvas, MARGIN, MARGIN, f"Label denoising: step {frame.step} of {frame.episode_length}", scale=3)
    for number, line in enumerate(_summary_lines(frame), start=1):
        _write(canvas, MARGIN + number * LINE + 8, MARGIN, line)
    _draw_legend(canvas, top - LINE)
    colors = np.array([COLORS[name] for name in CODES], np.uint8)
    codes = frame.codes()
    for branch, modality in enumerate(MODALITIES):
        left = MARGIN + ROW_AXIS + branch * (ROW_AXIS + panel[1] + MARGIN)
        _write(canvas, top + 4, left, TITLE.format(modality))
        cells = colors[codes[:, branch]].repeat(row, axis=0).repeat(column, axis=1)
        cells[row - 1 :: row] = 255
        cells[:, column - 1 :: column] = 255
        _paste(canvas, top + LINE, left, cells)
        _draw_axes(canvas, (top + LINE, left), (videos, row), frame.classes, column=column, scale=scale)
    return canvas


def _summary_lines(frame: Frame) -> list[str]:
    counts = frame.counts()
    labels = {modality: sum(of.values()) for modality, of in counts.items()}
    if frame.revised is None:
        removed = ", ".join(f"{labels[modality]} {modality} labels" for modality in MODALITIES)
        return [f"{removed}; no action yet", *_score_lines(frame)]
    removed = ", ".join(f"{counts[m]['removed']} of {labels[m]} {m} labels" for m in MODALITIES)
    return [f"removed {removed}", *_reward_lines(frame), *_score_lines(frame)]


def _reward_lines(frame: Frame) -> list[str]:
    if not frame.rewards:
        return []
    rewards = (
        f"{name.removeprefix('reward_').replace('_reward', '')} {v:.3f}" for name, v in frame.rewards.items()
    )
    return [f"rewards: {', '.join(rewards)}"]


def _score_lines(frame: Frame) -> list[str]:
    if not frame.scores:
        return ["validation F: not measured yet"]
    groups = []
    for level in ("segment", "event"):
        columns = {"A": "audio", "V": "visual", "AV": "audio_visual"}
        scores = " ".join(f"{short} {frame.scores[f'{level}_{name}']:.1f}" for short, name in columns.items())
        groups.append(f"{level} {scores}")
    return [f"validation F, percent: {', '.join(groups)}"]


def _draw_legend(canvas: Canvas, top: int) -> None:
    left = MARGIN
    for name, text in LEGEND.items():
        _paste(canvas, top, left, np.full((14, 18, 3), COLORS[name], np.uint8))
        _write(canvas, top, left + 26, text)
        left += 26 + 2 * WIDTH * len(text) + MARGIN


def _draw_axes(
    canvas: Canvas,
    corner: tuple[int, int],
    panel: tuple[int, int],
    classes: Sequence[str],
    *,
    column: int,
    scale: int,
) -> None:
    """Write row numbers to the left of a panel of (videos, pixels per video), and class names below it."""
    (top, left), (videos, row) = corner, panel
    for video in range(0, videos, max(1, 80 // row)):
        text = str(video)
        _write(canvas, top + video * row, left - 8 - 2 * WIDTH * len(text), text)
    for number, name in enumerate(classes):
        name_mask = np.rot90(text_mask(name, scale=scale))
        middle = left + number * column + max(0, (column - 1 - name_mask.shape[1]) // 2)
        _ink(canvas, top + videos * row + 8, middle, name_mask)


def _write(canvas: Canvas, top: int, left: int, text: str, scale: int = 2) -> None:
    _ink(canvas, top, left, text_mask(text, scale))


def _ink(canvas: Canvas, top: int, left: int, mask: NDArray[np.bool_]) -> None:
    """Blacken the pixels of a mask, as far as they are on the canvas."""
    region = canvas[top : top + mask.shape[0], left : left + mask.shape[1]]
    region[mask[: region.shape[0], : region.shape[1]]] = INK


def _paste(canvas: Canvas, top: int, left: int, pixels: Canvas) -> None:
    canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
