"""Which instants of a video its features are of: the grid of segments, its frames and its sound."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.errors import InputError


@dataclass(frozen=True)
class TimeGrid:
    """T segments of equal length, each with the same number of frames; the defaults are LLP's.

    Attributes:
        num_segments: T.
        segment_seconds: length of a segment.
        frames_per_second: at which frames are sampled.

    Raises:
        InputError: no segment, or a segment without frames or with a part of one.
    """

    num_segments: int = 10
    segment_seconds: float = 1.0
    frames_per_second: float = 8.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if self.num_segments < 1 or not 0 < self.segment_seconds < float("inf"):
            raise InputError(
                f"{self.num_segments} segments of {self.segment_seconds:g} s: expected at least 1 segment, of a "
                "length above 0"
            )
        frames = self.frames_per_second * self.segment_seconds
        if not 0.5 < frames < float("inf") or abs(frames - round(frames)) > 1e-6:
            raise InputError(
                f"{self.frames_per_second:g} frames a second make {frames:g} frames in a segment of "
                f"{self.segment_seconds:g} s; expected a whole number, at least 1"
            )

    @classmethod
    def of(cls, seconds: float, segment_seconds: float, frames_per_second: float) -> "TimeGrid":
        """Return the grid of so many seconds.

        Raises:
            InputError: they are no whole number of segments.
        """
        segments = seconds / segment_seconds if segment_seconds > 0 else 0.0
        if not 0.5 < segments < float("inf") or abs(segments - round(segments)) > 1e-6:
            raise InputError(
                f"{seconds:g} s in segments of {segment_seconds:g} s are {segments:g} segments; expected a whole "
                "number, at least 1"
            )
        return cls(round(segments), segment_seconds, frames_per_second)

    @property
    def seconds(self) -> float:
        """Length of the whole."""
        return self.num_segments * self.segment_seconds

    @property
    def frames_per_segment(self) -> int:
        """F: frames of a segment."""
        return round(self.frames_per_second * self.segment_seconds)

    @property
    def num_frames(self) -> int:
        """F T: frames of the whole."""
        return self.num_segments * self.frames_per_segment

    @property
    def most_frames(self) -> int:
        """Frames to look for: with one more than these a video counts as longer than the grid."""
        return self.num_frames + self.frames_per_segment // 2

    def is_shorter(self, found: int) -> bool:
        """Return whether a video of so many frames, at `frames_per_second`, lacks half a segment or more."""
        return found < self.num_frames - self.frames_per_segment // 2

    def frame_indices(self, found: int) -> NDArray[np.int64]:
        """Return which of the frames found at `frames_per_second` stand for the F T frames of the grid.

        LLP's rule, round(linspace(0, found - 1, F T)), spreads the frames of a video that misses the length of the
        grid by less than half a segment. Others keep their times, so that frames and sound stay together: a longer
        video is cut, and a shorter one keeps its last frame.

        Args:
            found: at least 1.

        Returns:
            (F T,) indices below ``found``.
        """
        if self.is_shorter(found) or found > self.most_frames:
            return np.minimum(np.arange(self.num_frames), found - 1)
        return np.rint(np.linspace(0, found - 1, self.num_frames)).astype(np.int64)

    def cut_sound(self, samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """Cut sound at the borders of segments.

        Args:
            samples: (n,) at least T segments long.
            rate: samples a second.

        Returns:
            (T, m), the samples of each segment.
        """
        length = int(self.segment_seconds * rate + 1e-6)
        starts = np.rint(np.arange(self.num_segments) * self.segment_seconds * rate).astype(np.int64)
        return np.stack([samples[start : start + length] for start in starts])


LLP_GRID: Final = TimeGrid()
"""The grid of LLP: 10 segments of a second, 8 frames in each."""
