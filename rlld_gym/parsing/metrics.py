"""Segment- and event-level F-scores of audio-visual video parsing (protocol of Tian et al., ECCV 2020).

All videos and classes are compared at once, where the tracks live, by some hundred operations on whole tensors.
None of them depends on a value: on a GPU they are queued, and waited for once, when finished scores are read.
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
    bits = _stack_bits([pred_audio, pred_visual, true_audio, true_visual])
    common = bits[:, 0] * bits[:, 1]
    segment_hits, segment_items = _count(common), _count(bits)
    event_hits, event_items = _count(_matches(bits, common)), _count(_last_of_runs(bits))
    # float32 as in the public evaluation, so that published numbers come out to the last digit
    segment = _f_scores(segment_hits, segment_items, torch.float32)
    event = _f_scores(event_hits, event_items, torch.float64)
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


def _last_of_runs(bits: Tensor) -> Tensor:
    """Return 1 at the last segment (first axis) of each run of ones, 0 elsewhere."""
    last = bits.clone()
    last[:-1].gt_(bits[1:])
    return last


def _run_lengths(bits: Tensor, *, backwards: bool = False) -> Tensor:
    """Return how many ones there are without a gap up to and with each segment, counted from either side."""
    lengths = bits.clone()
    rows = lengths.unbind()
    for before, here in pairwise(rows[::-1] if backwards else rows):
        here.addcmul_(here, before)
    return lengths


def _matches(bits: Tensor, common: Tensor) -> Tensor:
    """Return (T, 3, N, C): 1 at the last common segment of a predicted and a true event that match.

    No assignment is needed: two runs of one row are at least a segment apart, so they cannot both reach an
    intersection over union of one half with the same run. Matches are therefore one to one. The intersection of two
    runs is a run of common segments, and every such run is the intersection of one pair; at its last segment the
    intersection reaches back as far as the shorter event does, the union as far as the longer one does, and on.
    """
    before, after = _run_lengths(bits), _run_lengths(bits, backwards=True)
    intersection = torch.minimum(*before.unbind(1))
    union = torch.maximum(*before.unbind(1)).add_(torch.maximum(*after.unbind(1))).sub_(1)
    return intersection.mul_(2).ge_(union).mul_(_last_of_runs(common))


def _count(bits: Tensor) -> Tensor:
    """Return the sums over segments."""
    return bits.sum(0, dtype=bits.dtype)


def _f_scores(hits: Tensor, items: Tensor, precision: torch.dtype) -> Tensor:
    """Return F per video, (4, N) in ``precision``.

    F = 2 TP / (2 TP + FP + FN), and 2 TP + FP + FN is the number of predicted plus the number of true items. The
    mean over classes is taken in ``precision``, class by class: no sum of torch promises an order.

    Args:
        hits: (3, N, C) integers, TP of audio, visual and audio-visual.
        items: (2, 3, N, C) integers, predicted and true items.
        precision: float32 or float64.
    """
    hits, items = (_with_event(counts.to(precision)) for counts in (hits, items[0] + items[1]))
    relevant = items.clamp(max=1).sum(-1)
    per_class = 2 * hits / items.clamp(min=1)
    total = reduce(torch.add, per_class.unbind(-1))
    return torch.where(relevant > 0, total / relevant.clamp(min=1), 1.0)


def _with_event(counts: Tensor) -> Tensor:
    """Append, to counts (3, N, C), the sum of the audio and the visual ones as a fourth row."""
    return torch.cat((counts, counts[:1] + counts[1:2]))


def _table_row(per_video: NDArray[np.float64]) -> NDArray[np.float64]:
    audio, visual, audio_visual, event = 100.0 * per_video.mean(axis=0)
    return np.array([audio, visual, audio_visual, (audio + visual + audio_visual) / 3.0, event])
