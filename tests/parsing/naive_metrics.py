"""The evaluation protocol written out: one video, one track and one class at a time, with NumPy.

It is what the vectorised metric is tested against and timed against, so it follows the definitions word by word and
shares no code and no shortcut with it.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Row: TypeAlias = NDArray[np.bool_]
Counts: TypeAlias = tuple[int, int, int]
"""True positives, false positives and false negatives of one class in one video."""


def segment_counts(predicted: Row, true: Row) -> Counts:
    """Compare the segments of one class row, (T,) each."""
    return int(np.sum(predicted & true)), int(np.sum(predicted & ~true)), int(np.sum(~predicted & true))


def event_counts(predicted: Row, true: Row) -> Counts:
    """Compare the events of one class row: maximal runs of positive segments."""
    ours, theirs = events(predicted), events(true)
    hits = sum(any(match(event, other) for other in theirs) for event in ours)
    missed = sum(not any(match(event, other) for other in ours) for event in theirs)
    return hits, len(ours) - hits, missed


def events(row: Row) -> list[tuple[int, int]]:
    """Return first segment and the one after the last of each maximal run."""
    found, start = [], None
    for segment, positive in enumerate(row):
        if positive and start is None:
            start = segment
        elif not positive and start is not None:
            found.append((start, segment))
            start = None
    if start is not None:
        found.append((start, len(row)))
    return found


def match(event: tuple[int, int], other: tuple[int, int]) -> bool:
    """Say whether the intersection of two events is at least half of their union."""
    intersection = max(0, min(event[1], other[1]) - max(event[0], other[0]))
    union = (event[1] - event[0]) + (other[1] - other[0]) - intersection
    return intersection >= 0.5 * union


def average_f(counts: list[Counts]) -> float:
    """Average F over the classes that are predicted or present; 1.0 where there is none."""
    scores = [2 * tp / (2 * tp + fp + fn) for tp, fp, fn in counts if tp + fp > 0 or tp + fn > 0]
    return float(np.mean(scores)) if scores else 1.0


def video_scores(
    predicted: tuple[Row, Row], true: tuple[Row, Row], count: Callable[[Row, Row], Counts]
) -> list[float]:
    """Return the audio, visual, audio-visual and Event F of one video from audio and visual tracks, (T, C) each."""
    by_track = []
    for ours, theirs in (
        (predicted[0], true[0]),
        (predicted[1], true[1]),
        (predicted[0] & predicted[1], true[0] & true[1]),
    ):
        by_track.append([count(ours[:, label], theirs[:, label]) for label in range(ours.shape[1])])
    pooled = [(a[0] + v[0], a[1] + v[1], a[2] + v[2]) for a, v in zip(by_track[0], by_track[1], strict=True)]
    return [average_f(counts) for counts in (*by_track, pooled)]


def naive_scores(
    pred_audio: Row, pred_visual: Row, true_audio: Row, true_visual: Row
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return table (2, 5) in percent, segment-level F (N, 4) and event-level F (N, 4) of tracks (N, T, C)."""
    levels, table = [], []
    for count in (segment_counts, event_counts):
        videos = zip(pred_audio, pred_visual, true_audio, true_visual, strict=True)
        per_video = np.array([video_scores((a, v), (ta, tv), count) for a, v, ta, tv in videos])
        audio, visual, audio_visual, event = 100 * per_video.mean(axis=0)
        table.append([audio, visual, audio_visual, (audio + visual + audio_visual) / 3, event])
        levels.append(per_video)
    return np.array(table), levels[0], levels[1]
