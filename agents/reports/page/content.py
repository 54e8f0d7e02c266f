"""What a report page shows, before it is a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.removal import RemovalQuality

UNCERTAIN = 0.15
"""A removal is uncertain where its score is no further than this from what decided."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis.

    Attributes:
        title: what is measured, with its unit.
        axis: what is on the horizontal axis.
        lines: (x, y) points, by name.
        levels: heights of horizontal lines to compare with, by name.
    """

    title: str
    axis: str
    lines: Mapping[str, Points]
    levels: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Videos:
    """The training videos. N videos, T segments, C classes; in pairs audio comes before visual.

    Attributes:
        names: N names.
        classes: C names.
        weak: (N, C) bool, the weak labels.
        removed: (N, 2, C) bool, the labels that were removed.
        scores: (N, 2, C) float32 in [0, 1], larger = rather remove; None where unknown.
        boundary: (2, C) float, the score above which a label of a modality and class went.
        scores_are_probabilities: whether scores are removal probabilities, which also say how much noise there is.
        predicted: (N, T, 2, C) uint8 as `prediction_codes` makes them; None where no parser is known.
        dense: (N, T, 2, C) bool, what is heard and seen; None where unknown.
        clips: N addresses of clips, relative to the page, "" where there is none; empty: nobody asked for clips.
    """

    names: Sequence[str]
    classes: Sequence[str]
    weak: NDArray[np.bool_]
    removed: NDArray[np.bool_]
    scores: NDArray[np.float32] | None = None
    boundary: NDArray[np.float64] | None = None
    scores_are_probabilities: bool = True
    predicted: NDArray[np.uint8] | None = None
    dense: NDArray[np.bool_] | None = None
    clips: Sequence[str] = ()

    @property
    def uncertain(self) -> NDArray[np.bool_]:
        """Which weak labels, (N, 2, C), have a score near the boundary; none where scores are unknown."""
        if self.scores is None or self.boundary is None:
            return np.zeros_like(self.removed)
        near: NDArray[np.bool_] = np.abs(self.scores - self.boundary) <= UNCERTAIN
        return near & self.weak[:, None]

    @property
    def given_back(self) -> NDArray[np.bool_]:
        """Which labels, (N, 2, C), stayed though their probability says remove: none would have been left."""
        if self.scores is None or self.boundary is None or not self.scores_are_probabilities:
            return np.zeros_like(self.removed)
        kept: NDArray[np.bool_] = self.weak[:, None] & ~self.removed
        return kept & (self.scores > self.boundary)

    @property
    def learned_noise(self) -> NDArray[np.float64] | None:
        """Mean removal probability (2, C) of the weak labels, NaN without labels; None without probabilities."""
        if self.scores is None or not self.scores_are_probabilities:
            return None
        number = self.weak.sum(axis=0).astype(np.float64)
        total = np.where(self.weak[:, None], self.scores, 0).sum(axis=0, dtype=np.float64)
        return np.asarray(total / np.where(number > 0, number, np.nan))


@dataclass(frozen=True, eq=False)
class Page:
    """All that a report page shows.

    Attributes:
        title: of the page.
        facts: what the run was, by name.
        tables: Markdown tables and sentences, as results.md has them.
        charts: learning curves.
        figures: PNG files' content, by what they show.
        quality: removals per class, and how right they were where the truth is known.
        videos: the training videos.
    """

    title: str
    facts: Mapping[str, str]
    tables: str
    charts: Sequence[Chart]
    figures: Mapping[str, bytes]
    quality: RemovalQuality
    videos: Videos


def separating_scores(
    scores: NDArray[np.float32], removed: NDArray[np.bool_], weak: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return per modality and class the middle between the highest score kept and the lowest removed.

    For denoisers that remove a number of labels, not those above a threshold.

    Args:
        scores: (N, 2, C) in [0, 1].
        removed: (N, 2, C) bool.
        weak: (N, C) bool.

    Returns:
        (2, C) float64; above every score where nothing went, below every score where nothing stayed.
    """
    kept = weak[:, None] & ~removed
    highest_kept = np.where(kept, scores, -1.0).max(axis=0)
    lowest_removed = np.where(removed, scores, 2.0).min(axis=0)
    return np.asarray((highest_kept + lowest_removed) / 2, dtype=np.float64)


def prediction_codes(probability: NDArray[np.floating], track: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return segment predictions as a byte each: six bits of probability, then the decision, then a free bit.

    Args:
        probability: in [0, 1], any shape.
        track: of the same shape, whether the parser finds the event there.
    """
    levels = np.rint(np.clip(probability, 0, 1) * 63).astype(np.uint8)
    return np.asarray((levels << 2) | (track.astype(np.uint8) << 1), dtype=np.uint8)
