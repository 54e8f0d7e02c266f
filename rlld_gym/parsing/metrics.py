"""Segment- and event-level F-scores of audio-visual video parsing (protocol of Tian et al., ECCV 2020).

A class row of one video is a handful of bits, so it is packed into one integer where the predictions live;
one small transfer and a few table look-ups on the host do the rest.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BoolTracks: TypeAlias = NDArray[np.bool_] | Tensor

MAX_SEGMENTS: Final = 15
"""Most segments of a video: their bits must fit a non-negative 16-bit integer."""

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

    Args:
        pred_audio: (N, T, C) bool, NumPy array or tensor on any device: class c is predicted audible in
            segment t. T is at most 15.
        pred_visual: likewise, visible.
        true_audio: (N, T, C) bool ground truth.
        true_visual: (N, T, C) bool ground truth.

    Returns:
        The scores, float64. Means over classes are taken in float32 at segment level, as the public evaluation of
        LLP does (relative rounding error up to 1e-7), and in float64 everywhere else.

    Raises:
        ValueError: a track is not boolean, shapes differ or are not (N, T, C), or N is zero or T over 15.
    """
    tracks = {
        "pred_audio": pred_audio,
        "pred_visual": pred_visual,
        "true_audio": true_audio,
        "true_visual": true_visual,
    }
    num_segments = _check_tracks(tracks)
    codes = _pack(list(tracks.values()), num_segments)
    # Columns audio, visual, audio-visual; a segment is audio-visual where both modalities are positive.
    predicted = np.stack((codes[0], codes[1], codes[0] & codes[1]))
    true = np.stack((codes[2], codes[3], codes[2] & codes[3]))

    tables = _code_tables(num_segments)
    segment = _f_scores(
        tables.segments[predicted & true],
        tables.segments[predicted] + tables.segments[true],
        precision=np.float32,  # as in the public evaluation, so that published numbers come out to the last digit
    )
    event = _f_scores(
        _matched_events(predicted, true, tables),
        tables.events[predicted] + tables.events[true],
        precision=np.float64,
    )
    table = np.stack([_table_row(per_video) for per_video in (segment, event)])
    return ParsingScores(table=table, segment_per_video=segment, event_per_video=event)


def _check_tracks(tracks: dict[str, BoolTracks]) -> int:
    """Return the number of segments of well-formed tracks."""
    shape: tuple[int, ...] = np.shape(tracks["pred_audio"])
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
    return shape[1]


def _pack(tracks: list[BoolTracks], num_segments: int) -> NDArray[np.int16]:
    """Return (4, N, C) integer codes of the four tracks; bit t is segment t.

    Tensors are packed where they are, so what leaves a GPU is (N, C) codes, in one transfer.
    """
    packed: list[NDArray[np.int16]] = [np.empty(0, np.int16)] * len(tracks)
    by_device: dict[torch.device, list[int]] = {}
    for index, track in enumerate(tracks):
        if isinstance(track, Tensor) and track.device.type != "cpu":
            by_device.setdefault(track.device, []).append(index)
        else:
            packed[index] = _pack_array(np.asarray(track), num_segments)
    for device, indices in by_device.items():
        # Sums of powers of two below 2^15 are exact in float32; GPUs have no matrix product of integers.
        powers = torch.arange(num_segments, device=device).exp2()
        stacked = torch.stack([torch.as_tensor(tracks[index]) for index in indices]).float()
        codes = torch.einsum("kntc,t->knc", stacked, powers).round().to(torch.int16).cpu().numpy()
        for index, code in zip(indices, codes, strict=True):
            packed[index] = code
    return np.stack(packed)


def _pack_array(track: NDArray[np.bool_], num_segments: int) -> NDArray[np.int16]:
    bits = track.view(np.int8)
    codes = np.zeros((track.shape[0], track.shape[2]), np.int16)
    for segment in reversed(range(num_segments)):
        codes += codes
        codes += bits[:, segment]
    return codes


@dataclass(frozen=True, eq=False)
class _CodeTables:
    """What can be said about a class row of T bits, for each of the 2^T rows.

    ``segments`` (2^T,): number of ones; ``events`` (2^T,): number of runs of ones; ``runs`` (2^T, (T+1)//2):
    each run as a code of its own, zero-padded.
    """

    segments: NDArray[np.int64]
    events: NDArray[np.int64]
    runs: NDArray[np.int16]


@cache
def _code_tables(num_segments: int) -> _CodeTables:
    codes = np.arange(2**num_segments, dtype=np.int32)
    bits = (codes[:, None] >> np.arange(num_segments, dtype=np.int32)) & 1
    starts = bits.copy()
    starts[:, 1:] &= 1 - bits[:, :-1]
    run_of_bit = np.cumsum(starts, axis=1) * bits  # 1, 2, ... on the ones, 0 elsewhere
    numbers = np.arange(1, (num_segments + 1) // 2 + 1)
    powers = 1 << np.arange(num_segments)
    runs = (run_of_bit[:, None, :] == numbers[:, None]) @ powers
    return _CodeTables(segments=bits.sum(axis=1), events=starts.sum(axis=1), runs=runs.astype(np.int16))


def _matched_events(
    predicted: NDArray[np.int16], true: NDArray[np.int16], tables: _CodeTables
) -> NDArray[np.int64]:
    """Return how many predicted events match a true one, in the shape of the codes.

    No assignment is needed: two runs of one row are at least a segment apart, so they cannot both reach an
    intersection over union of one half with the same run. Matches are therefore one to one.
    """
    matched = np.zeros(predicted.shape, np.int64)
    overlapping = np.nonzero(predicted & true)
    ours = tables.runs[predicted[overlapping]][:, :, None]
    theirs = tables.runs[true[overlapping]][:, None, :]
    intersection = tables.segments[ours & theirs]
    union = tables.segments[ours | theirs]
    # Padding gives 0 of 0 or 0 of many; only real intersections count.
    matches = (intersection > 0) & (2 * intersection >= union)
    matched[overlapping] = matches.any(axis=2).sum(axis=1)
    return matched


def _f_scores(
    true_positives: NDArray[np.int64],
    claims: NDArray[np.int64],
    precision: type[np.float32] | type[np.float64],
) -> NDArray[np.float64]:
    """Return F per video, (N, 4), from counts (3, N, C) of hits and of predicted plus true items.

    F = 2 TP / (2 TP + FP + FN), and 2 TP + FP + FN is the number of predicted plus the number of true items. The
    mean over classes is taken in ``precision``, class by class.
    """
    hits = np.concatenate((true_positives, true_positives[:1] + true_positives[1:2]))
    items = np.concatenate((claims, claims[:1] + claims[1:2]))
    num_relevant = (items > 0).sum(axis=2)
    per_class = (2.0 * hits / np.maximum(items, 1)).astype(precision)
    total = np.cumsum(per_class, axis=2)[..., -1]
    mean = total / np.maximum(num_relevant, 1).astype(precision)
    return np.where(num_relevant > 0, mean, 1.0).T.astype(np.float64)


def _table_row(per_video: NDArray[np.float64]) -> NDArray[np.float64]:
    audio, visual, audio_visual, event = 100.0 * per_video.mean(axis=0)
    return np.array([audio, visual, audio_visual, (audio + visual + audio_visual) / 3.0, event])
