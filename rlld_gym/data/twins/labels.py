"""Label sets and temporal patterns of the twin, drawn from counts of LLP's annotations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS, llp_statistics

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class EventLabels:
    """What N videos show: weak labels (N, C) and dense labels (N, T, C) of both modalities, all bool."""

    labels: BoolArray
    dense_audio: BoolArray
    dense_visual: BoolArray


def label_sets(split: str) -> tuple[BoolArray, NDArray[np.int64]]:
    """Return the S label sets of LLP's split, (S, C) bool, and how many of its videos have each, (S,)."""
    sets = llp_statistics()["label_sets"][split]
    rows = np.zeros((len(sets), len(CLASSES)), dtype=bool)
    for row, (class_indices, _) in zip(rows, sets, strict=True):
        row[class_indices] = True
    return rows, np.array([count for _, count in sets])


def class_patterns(index: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the P temporal patterns of a class: audio and visual masks (P, 2), and how often each occurs, (P,)."""
    patterns = llp_statistics()["temporal_patterns"][index]
    masks = np.array([pattern[:2] for pattern in patterns])
    return masks, np.array([pattern[2] for pattern in patterns], dtype=np.float64)


def masks_to_segments(masks: NDArray[np.int64]) -> BoolArray:
    """Return the segments (N, T) that masks (N,) stand for: bit t is segment t."""
    segments: BoolArray = (masks[:, None] & (1 << np.arange(NUM_SEGMENTS))) > 0
    return segments


def draw_label_sets(split: str, num_videos: int, generator: np.random.Generator) -> BoolArray:
    """Draw weak labels with the label sets of LLP's split.

    With as many videos as LLP's split has, every label set occurs exactly as often as there (in random order);
    with fewer videos, sets are drawn without replacement from LLP's.

    Args:
        split: "train", "val" or "test".
        num_videos: number of videos, 1 or more; beyond the size of LLP's split, LLP's videos repeat.
        generator: source of randomness.

    Returns:
        Labels (num_videos, C), bool.
    """
    rows, counts = label_sets(split)
    videos = np.repeat(np.arange(len(rows)), counts)
    repeats = -(-num_videos // len(videos))
    order = np.concatenate([generator.permutation(videos) for _ in range(repeats)])[:num_videos]
    labels: BoolArray = rows[order]
    return labels


def draw_events(
    labels: BoolArray, generator: np.random.Generator, noise_odds: NDArray[np.float64] | None = None
) -> EventLabels:
    """Draw for every positive label when it is heard and when it is seen.

    The pair (audio mask, visual mask) is drawn from the pairs that the class shows in LLP's densely annotated
    videos, so a label is unheard or unseen as often as there, and sound and sight keep their correlation.

    Args:
        labels: weak labels (N, C), bool.
        generator: source of randomness.
        noise_odds: (C,) factors by which pairs in which the class is unheard or unseen are drawn more often; None:
            all 1.

    Returns:
        The labels with dense labels (N, T, C).
    """
    dense = np.zeros((2, len(labels), NUM_SEGMENTS, len(CLASSES)), dtype=bool)
    odds = np.ones(len(CLASSES)) if noise_odds is None else noise_odds
    for index in range(len(CLASSES)):
        videos = np.flatnonzero(labels[:, index])
        masks, counts = class_patterns(index)
        weights = counts * np.where((masks == 0).any(axis=1), odds[index], 1.0)
        drawn = masks[generator.choice(len(masks), size=len(videos), p=weights / weights.sum())]
        for modality in range(2):
            dense[modality, videos, :, index] = masks_to_segments(drawn[:, modality])
    return EventLabels(labels, dense[0], dense[1])
