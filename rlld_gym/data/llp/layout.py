"""How a data set's files are laid out: classes, time grid, names of files. The defaults are LLP's."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS
from rlld_gym.data.llp.text_table import read_text
from rlld_gym.data.video_names import ID_LENGTH
from rlld_gym.errors import InputError

DenseVideos = Literal["all", "listed"]


@dataclass(frozen=True)
class DataLayout:
    """How a data set differs from LLP.

    Attributes:
        classes: C names, in the order of all arrays.
        num_segments: T, into how many segments of equal length a video is cut.
        frames_per_segment: rows of the 2D features in a segment, where there is not one row for each segment.
        feature_file: name of a video's npy file, with ``{id}``, the first 11 characters of its name, or ``{name}``,
            the whole name. With ``{id}`` names must be LLP's: an id, then _START_END.
        dense: "all": a validation or test video without a row in the event files has no event; "listed": nobody
            annotated it, and it is left out.
        segments_option: option of the command that decides ``num_segments``, for messages.

    Raises:
        InputError: fewer than 1 segment or frame, no class, or a pattern with neither or both fields.
    """

    classes: tuple[str, ...] = CLASSES
    num_segments: int = NUM_SEGMENTS
    frames_per_segment: int = 8
    feature_file: str = "{id}.npy"
    dense: DenseVideos = "all"
    segments_option: str = field(default="--segments", repr=False, compare=False)
    class_index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name in ("num_segments", "frames_per_segment"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not self.classes or len(set(self.classes)) < len(self.classes):
            raise InputError(f"classes {self.classes}: expected different names, one at least")
        if ("{id}" in self.feature_file) == ("{name}" in self.feature_file):
            raise InputError(
                f"feature file {self.feature_file!r}: expected a pattern with either {{id}}, the first {ID_LENGTH} "
                "characters of a video's name, or {name}, the whole name; such as {name}.npy"
            )
        object.__setattr__(self, "class_index", {name: index for index, name in enumerate(self.classes)})

    @property
    def named_by_id(self) -> bool:
        """Whether files are named by the first 11 characters of LLP's video names."""
        return "{id}" in self.feature_file

    def video(self, filename: str) -> str:
        """Return what identifies a video: its id, or its whole name."""
        return filename[:ID_LENGTH] if self.named_by_id else filename

    def feature_path(self, folder: Path, filename: str) -> Path:
        """Return the npy file of a video in one of the feature folders."""
        field_name = "{id}" if self.named_by_id else "{name}"
        return folder / self.feature_file.replace(field_name, self.video(filename))


LLP: Final = DataLayout()
"""The layout of LLP."""


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names from a text file, one a line, in the order of all arrays; blank lines are skipped.

    Raises:
        InputError: the file cannot be read, holds no name, the same name twice, or a name with a tab.
    """
    lines: dict[str, int] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        name = line.strip()
        if name in lines:
            raise InputError(
                f"{path} line {number}: {name!r} is on line {lines[name]} already; keep one of them"
            )
        if "\t" in name:
            raise InputError(f"{path} line {number}: {name!r} holds a tab; expected one class name a line")
        if name:
            lines[name] = number
    if not lines:
        raise InputError(f"{path}: no class names; expected one a line")
    return tuple(lines)
