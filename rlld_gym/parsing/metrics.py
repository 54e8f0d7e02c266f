"""Segment- and event-level F-scores of audio-visual video parsing (protocol of Tian et al., ECCV 2020).

All videos and classes are compared at once, where the tracks live, segment by segment. No operation depends on a
value: on a GPU some three hundred are queued, and waited for once, when the finished scores are read. In-place
operations keep memory to one byte for each bit; fresh pages would cost more time than the arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BoolTracks: TypeAlias = NDArray[np.bool_] | Tensor

MAX_SEGMENTS: Final = 16383
"""Most segments of a video: twice as many must fit a 16-bit integer."""

LEVELS: Final = ("segment", "event")
COLUMNS: Final = ("audio", "visual", "audio_visual", "type", "event")
SCORE_NAMES: Final[tuple[str, ...]] = tuple(f"{level}_{column}" for level in LEVELS for column in COLUMNS)
"""Names of the ten scores, in the order of ``ParsingScores.table`` read row by row."""

SCORE_COLUMNS: Final[tuple[tuple[str, str], ...]] = tuple(
    zip(SCORE_NAMES, 2 * ("A", "V", "AV", "Type", "Event"), strict=True)
)
"""Names of the ten scores and their short headings, in the order of the tables in the literature."""


@dataclass(frozen=True, eq=False)
class ParsingScores:
    """F-scores of one set of videos.

    Attributes:
        table: (2, 5) float64, percent; rows segment and event level, columns audio, visual, audio-visual,
            Type (mean of the first three) and Event (both modalities' counts pooled per class).
        segment_per_video: (N, 4) float64 in [0, 1]; columns audio, visual, audio-visual, Event.
        event_per_video: likewise at the event level.
    """

    table: NDArray[np.float64]
    segment_per_video: NDArray[np.float64]
    event_per_video: NDArray[np.float64]

    def as_dict(self) -> dict[str, float]:
        """Return the table as ten floats (percent) under ``SCORE_NAMES``."""
        return dict(zip(SCORE_NAMES, self.table.ravel().tolist(), strict=True))


def parsing_scores(
    pred_audio: BoolTracks, pred_visual: BoolTracks, true_audio: BoolTracks, true_visual: BoolTracks
) -> ParsingScores:
    """Compare predicted with true event tracks (Tian et al., ECCV 2020; Table 1 of RLLD, arXiv 2412.19563).

    Per video, F is averaged over the classes that are predicted or present (1.0 where there is none), then
    over videos. At the event level, events are runs of positive segments, and two events match when their
    intersection is at least half of their union.

    Tensors on a GPU are compared there; NumPy arrays and tensors on the CPU among them are moved to it. The one
    read, and the one wait, is that of the finished scores per video, 64 bytes each.

    Args:
        pred_audio: (N, T, C) bool, NumPy array or tensor on any device with float64: class c is predicted
            audible in segment t. T is at most 16383.
        pred_visual: likewise, visible.
        true_audio: (N, T, C) bool ground truth.
        true_visual: (N, T, C) bool ground truth.

    Returns:
        The scores, float64. Means over classes are taken in float32 at segment level, as the public evaluation of
        LLP does (relative rounding error up to 1e-7), and in float64 everywhere else.

    Raises:
        ValueError: a track is not boolean, shapes differ or are not (N, T, C), or N is zero or T over 16383.
    """
    tracks = {
        "pred_audio": pred_audio,
        "pred_visual": pred_visual,
        "true_audio": true_audio,
        "true_visual": true_visual,
    }
    _check_tracks(tracks)
    segment, event = scores_per_video(*_on_one_device(list(tracks.values()))).cpu().numpy()  # the one read
    table = np.stack([_table_row(per_video.T) for per_video in (segment, event)])
    return ParsingScores(table=table, segment_per_video=segment.T, event_per_video=event.T)


def scores_per_video(
    pred_audio: Tensor, pred_visual: Tensor, true_audio: Tensor, true_visual: Tensor
) -> Tensor:
    """Compute what ``parsing_scores`` averages, without ever reading a value: nothing waits for a GPU.

    Args:
        pred_audio: (N, T, C) bool, T at most 16383; unchecked, all four on one device.
        pred_visual: likewise.
        true_audio: likewise.
        true_visual: likewise.

    Returns:
        (2, 4, N) float64 in [0, 1] on the tracks' device: segment and event level; audio, visual, audio-visual
        and Event F-scores of each video.
    """
    counts = _count(_stack_bits([pred_audio, pred_visual, true_audio, true_visual]))
    # float32 as in the public evaluation, so that published numbers come out to the last digit
    segment = _f_scores(counts.segment_hits, counts.segments, torch.float32)
    event = _f_scores(counts.event_hits, counts.events, torch.float64)
    return torch.stack((segment.double(), event))


def _check_tracks(tracks: dict[str, BoolTracks]) -> None:
    """Raise ValueError unless the tracks are well-formed."""
    shape: tuple[int, ...] = tuple(np.shape(tracks["pred_audio"]))
    for name, track in tracks.items():
        if not isinstance(track, (np.ndarray, Tensor)) or track.dtype not in (np.dtype(bool), torch.bool):
            found = getattr(track, "dtype", type(track).__name__)
            raise ValueError(f"{name}: expected a bool array or tensor, found {found}; threshold it first")
        if tuple(track.shape) != shape:
            raise ValueError(f"{name}: shape {tuple(track.shape)} differs from pred_audio's {shape}")
    if len(shape) != 3:
        raise ValueError(f"tracks must have shape (videos, segments, classes), found {shape}")
    if shape[0] == 0:
        raise ValueError("tracks hold no video")
    if not 1 <= shape[1] <= MAX_SEGMENTS:
        raise ValueError(f"tracks must have 1 to {MAX_SEGMENTS} segments, found {shape[1]} in shape {shape}")


def _on_one_device(tracks: Sequence[BoolTracks]) -> list[Tensor]:
    """Return all tracks as tensors on the device of the first one that is not on the CPU, if any."""
    tensors = [
        # torch shares memory only with writable arrays without negative strides
        track if isinstance(track, Tensor) else torch.from_numpy(np.require(track, requirements=["C", "W"]))
        for track in tracks
    ]
    device = next((tensor.device for tensor in tensors if tensor.device.type != "cpu"), torch.device("cpu"))
    return [tensor.to(device) for tensor in tensors]


def _stack_bits(tracks: Sequence[Tensor]) -> Tensor:
    """Return (T, 2, 3, N, C) integers 0 and 1: predicted and true; audio, visual and audio-visual.

    A segment is audio-visual where both modalities are positive. Integers are as narrow as twice T allows.
    """
    videos, segments, classes = tracks[0].shape
    dtype = torch.int8 if 2 * segments <= torch.iinfo(torch.int8).max else torch.int16
    bits = torch.empty((segments, 2, 3, videos, classes), dtype=dtype, device=tracks[0].device)
    for index, track in enumerate(tracks):
        bits[:, index // 2, index % 2] = track.transpose(0, 1)
    torch.mul(bits[:, :, 0], bits[:, :, 1], out=bits[:, :, 2])
    return bits


@dataclass(frozen=True, eq=False)
class _Counts:
    """(3, N, C) integers for audio, visual and audio-visual.

    ``segments`` and ``events`` count predicted and true ones together, ``segment_hits`` the common segments,
    ``event_hits`` the pairs of events that match.
    """

    segments: Tensor
    events: Tensor
    segment_hits: Tensor
    event_hits: Tensor


def _count(bits: Tensor) -> _Counts:
    """Count segments, events and hits in one pass over the segments; ``bits`` (T, 2, 3, N, C) is overwritten.

    No assignment of events is needed: two runs of one row are at least a segment apart, so they cannot both reach
    an intersection over union of one half with the same run. Matches are therefore one to one. The intersection of
    two events is a run of common segments, and every such run belongs to one pair. Its first segment decides: from
    there the intersection extends as far as the event that ends first, the union as far as the one that ends last
    and back as far as the one that started first.
    """
    after = bits.unbind()
    for following, here in pairwise(after[::-1]):
        here.addcmul_(here, following)  # ones from here on without a gap, this one included
    before = torch.zeros_like(after[0])  # ones up to here
    segments, events, was_present = (torch.zeros_like(before) for _ in range(3))
    segment_hits, event_hits, was_common = (torch.zeros_like(before[0]) for _ in range(3))
    for ahead in after:
        present = ahead.clamp(max=1)
        before.add_(1).mul_(present)
        segments.add_(present)
        events.add_(present.gt(was_present))
        common = present[0] * present[1]
        segment_hits.add_(common)
        intersection = torch.minimum(*ahead)
        union = torch.maximum(*before).add_(torch.maximum(*ahead)).sub_(1)
        matches = intersection.add_(intersection).ge_(union)
        event_hits.add_(matches.mul_(common.gt(was_common)))
        was_present, was_common = present, common
    return _Counts(segments[0] + segments[1], events[0] + events[1], segment_hits, event_hits)


def _f_scores(hits: Tensor, items: Tensor, precision: torch.dtype) -> Tensor:
    """Return F per video, (4, N) in ``precision``.

    F = 2 TP / (2 TP + FP + FN), and 2 TP + FP + FN is the number of predicted plus the number of true items. The
    mean over classes is taken in ``precision``, class by class: no sum of torch promises an order.

    Args:
        hits: (3, N, C) integers, TP of audio, visual and audio-visual.
        items: (3, N, C) integers, predicted plus true items.
        precision: float32 or float64.
    """
    hits, items = _with_event(hits, precision), _with_event(items, precision)
    num_relevant = items.clamp(max=1).sum(-1)
    per_class = hits.mul_(2).div_(items.clamp_(min=1))
    total = reduce(torch.add, per_class.unbind(-1))
    return torch.where(num_relevant > 0, total / num_relevant.clamp(min=1), 1.0)


def _with_event(counts: Tensor, dtype: torch.dtype) -> Tensor:
    """Return (4, N, C) counts in ``dtype``: the given three and, fourth, audio and visual ones together."""
    result = torch.empty((4, *counts.shape[1:]), dtype=dtype, device=counts.device)
    result[:3] = counts
    torch.add(result[0], result[1], out=result[3])
    return result


def _table_row(per_video: NDArray[np.float64]) -> NDArray[np.float64]:
    audio, visual, audio_visual, event = 100.0 * per_video.mean(axis=0)
    return np.array([audio, visual, audio_visual, (audio + visual + audio_visual) / 3.0, event])
