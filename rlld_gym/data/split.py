"""One split of a feature store."""

from dataclasses import dataclass, fields
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.sharded_array import ShardedArray

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Features: TypeAlias = Floats | ShardedArray

FEATURE_DTYPES: Final = (np.dtype("float16"), np.dtype("float32"))
"""Dtypes in which a store keeps features."""

TEACHERS: Final = ("teacher_audio", "teacher_visual")
"""What segment-level teachers say, if there are any."""

TEACHER_DTYPE: Final = np.dtype("float16")
"""Dtype in which a store keeps it."""


@dataclass(frozen=True, eq=False)
class Split:
    """The videos of one split as read-only numpy arrays.

    N videos, T segments of equal length (LLP: 10 of one second), C classes.

    Attributes:
        name: "train", "val" or "test".
        filenames: N names; LLP's are an 11-character video id followed by ``_START_END``.
        audio: (N, T, Da) float16 or float32; of a store in several files not one array but a ``ShardedArray``.
        visual: (N, T, D2 + D3) of the same dtype, the 2D features first.
        labels: (N, C) bool, the weak labels of the videos.
        dense_audio: (N, T, C) bool, what is heard in which segment; None where unknown. Of a synthetic twin's
            training split this is the hidden truth.
        dense_visual: (N, T, C) bool, what is seen; None exactly where ``dense_audio`` is.
        teacher_audio: (N, T, C) float16 in [0, 1], how surely a segment-level teacher hears an event in a segment;
            None where there is no teacher.
        teacher_visual: (N, T, C) float16 in [0, 1], likewise sees; None exactly where ``teacher_audio`` is.
    """

    name: str
    filenames: tuple[str, ...]
    audio: Features
    visual: Features
    labels: Bools
    dense_audio: Bools | None = None
    dense_visual: Bools | None = None
    teacher_audio: Floats | None = None
    teacher_visual: Floats | None = None

    def __post_init__(self) -> None:
        """Check shapes and dtypes (ValueError) and turn the arrays into read-only views."""
        _check_split(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                view = value.view()
                view.flags.writeable = False
                object.__setattr__(self, field.name, view)

    def __len__(self) -> int:
        return len(self.filenames)

    @property
    def num_segments(self) -> int:
        """T."""
        return int(self.audio.shape[1])

    def truth(self) -> tuple[Bools, Bools] | None:
        """Return the true labels of each modality.

        Returns:
            Two (N, C) bool arrays, audio and visual: the weak label is present and the class is heard (seen)
            in at least one segment. None where the dense labels are unknown.
        """
        if self.dense_audio is None or self.dense_visual is None:
            return None
        return self.labels & self.dense_audio.any(axis=1), self.labels & self.dense_visual.any(axis=1)


def _check_split(split: Split) -> None:
    """Raise ValueError where a split's arrays do not fit together."""
    number, classes = len(split.filenames), split.labels.shape[-1]
    if split.audio.ndim != 3 or split.audio.shape[1] < 1:
        raise ValueError(
            f"split {split.name!r}: audio has shape {split.audio.shape}, expected (N, T, Da), T >= 1"
        )
    segments = split.audio.shape[1]
    expected: dict[str, tuple[int, ...]] = {
        "audio": (number, segments, split.audio.shape[-1]),
        "visual": (number, segments, split.visual.shape[-1]),
        "labels": (number, classes),
        "dense_audio": (number, segments, classes),
        "dense_visual": (number, segments, classes),
        "teacher_audio": (number, segments, classes),
        "teacher_visual": (number, segments, classes),
    }
    for key, shape in expected.items():
        array = getattr(split, key)
        if array is None:
            continue
        if array.shape != shape:
            raise ValueError(f"split {split.name!r}: {key} has shape {array.shape}, expected {shape}")
        if key in ("audio", "visual"):
            if array.dtype not in FEATURE_DTYPES:
                raise ValueError(f"split {split.name!r}: {key} is {array.dtype}, expected float16 or float32")
        elif key in TEACHERS:
            if array.dtype != TEACHER_DTYPE:
                raise ValueError(f"split {split.name!r}: {key} is {array.dtype}, expected {TEACHER_DTYPE}")
        elif array.dtype != np.bool_:
            raise ValueError(f"split {split.name!r}: {key} is {array.dtype}, expected bool")
    if split.audio.dtype != split.visual.dtype:
        raise ValueError(
            f"split {split.name!r}: audio is {split.audio.dtype} but visual {split.visual.dtype}"
        )
    for what in ("dense", "teacher"):
        if (getattr(split, f"{what}_audio") is None) != (getattr(split, f"{what}_visual") is None):
            raise ValueError(
                f"split {split.name!r}: {what} labels of one modality only; give both or neither"
            )
