"""How good a set of removals is, where the truth behind the weak labels is known.

A weak label of a video is a *noisy* label of a modality when its event is never heard (audio) or never seen
(visual). Removing it is a hit. Only labels that are present count: nothing else can be removed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ModalityRemoval:
    """Removals of one modality.

    Attributes:
        labels: (C,) int, weak labels per class.
        removed: (C,) int, removed labels per class.
        noisy: (C,) int, labels per class whose event is absent from the modality; None without truth.
        correct: (C,) int, removed labels that are noisy; None without truth.
        auc: area under the ROC curve of the removal scores, in [0, 1]; None where undefined.
    """

    labels: NDArray[np.int64]
    removed: NDArray[np.int64]
    noisy: NDArray[np.int64] | None
    correct: NDArray[np.int64] | None
    auc: float | None

    @property
    def removal_rate(self) -> float:
        """Share of the labels that was removed, in [0, 1]; 0 without labels."""
        return float(self.removed.sum() / max(int(self.labels.sum()), 1))

    @property
    def noise_rate(self) -> float | None:
        """Share of the labels that is noisy, in [0, 1]; None where truth is unknown."""
        return None if self.noisy is None else float(self.noisy.sum() / max(int(self.labels.sum()), 1))

    @property
    def precision(self) -> float | None:
        """Share of the removed labels that is noisy; None without removals or truth."""
        return None if self.correct is None else _ratio(self.correct, self.removed)

    @property
    def recall(self) -> float | None:
        """Share of the noisy labels that was removed; None without noisy labels or truth."""
        return None if self.correct is None or self.noisy is None else _ratio(self.correct, self.noisy)

    def as_dict(self) -> dict[str, float | None]:
        """Return precision, recall and AUC, None where unknown or undefined."""
        return {"precision": self.precision, "recall": self.recall, "auc": self.auc}


@dataclass(frozen=True, eq=False)
class RemovalQuality:
    """Removals of both modalities."""

    audio: ModalityRemoval
    visual: ModalityRemoval

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """Return ``{"audio": {"precision", "recall", "auc"}, "visual": {...}}``."""
        return {"audio": self.audio.as_dict(), "visual": self.visual.as_dict()}


def all_but(index: int | None, classes: int) -> NDArray[np.bool_]:
    """Return which of the classes (C,) are others than one; everything is also measured without LLP's Speech."""
    others: NDArray[np.bool_] = np.arange(classes) != (-1 if index is None else index)
    return others


def removal_quality(
    original: NDArray[np.bool_],
    audio: NDArray[np.bool_],
    visual: NDArray[np.bool_],
    truth: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None,
    scores: NDArray[np.floating] | None = None,
    *,
    chosen: NDArray[np.bool_] | None = None,
) -> RemovalQuality:
    """Compare revised labels with the weak labels and, where known, with the truth.

    Args:
        original: (N, C) bool, the weak labels.
        audio: (N, C) bool, the audio labels that are left.
        visual: (N, C) bool, the visual labels that are left.
        truth: (N, C) bool for audio and for visual: heard, seen in any segment; None where unknown.
        scores: (N, 2, C), larger = rather remove (for instance removal probabilities); needed for the AUC.
        chosen: (C,) bool, the classes to judge, in their order; None: all.

    Returns:
        Counts per class and the ratios of both modalities.

    Raises:
        ValueError: if shapes differ or a revised label was not present.
    """
    if chosen is not None:
        original, audio, visual = original[:, chosen], audio[:, chosen], visual[:, chosen]
        truth = None if truth is None else (truth[0][:, chosen], truth[1][:, chosen])
        scores = None if scores is None else scores[..., chosen]
    modalities = []
    for index, revised in enumerate((audio, visual)):
        if revised.shape != original.shape or (revised & ~original).any():
            raise ValueError("revised labels must be a subset of the original ones, of the same shape")
        present = None if truth is None else truth[index]
        score = None if scores is None else scores[:, index]
        modalities.append(_modality(original, original & ~revised, present, score))
    return RemovalQuality(*modalities)


def rank_auc(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float | None:
    """Return the area under the ROC curve, from the rank sum (Mann and Whitney 1947), ties counting one half.

    Args:
        scores: (M,) finite numbers.
        positive: (M,) bool, the items that should score high.

    Returns:
        Probability that a positive item scores higher than a negative one; None where a kind is missing.

    Raises:
        ValueError: for scores that are not finite.
    """
    if not np.isfinite(scores).all():
        raise ValueError("the AUC needs finite scores")
    hits, misses = int(positive.sum()), int((~positive).sum())
    if hits == 0 or misses == 0:
        return None
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(sizes) - (sizes - 1) / 2  # tied items share the mean of their ranks
    return float((mean_rank[group][positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def _modality(
    original: NDArray[np.bool_],
    removed: NDArray[np.bool_],
    present: NDArray[np.bool_] | None,
    score: NDArray[np.floating] | None,
) -> ModalityRemoval:
    labels, removals = original.sum(axis=0), removed.sum(axis=0)
    if present is None:
        return ModalityRemoval(labels, removals, None, None, None)
    noisy = original & ~present
    auc = None if score is None else rank_auc(score[original], noisy[original])
    return ModalityRemoval(labels, removals, noisy.sum(axis=0), (removed & noisy).sum(axis=0), auc)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> float | None:
    total = int(whole.sum())
    return float(part.sum() / total) if total else None
