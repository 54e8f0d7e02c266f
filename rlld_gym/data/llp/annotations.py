"""LLP's annotations as arrays (Tian, Li and Xu, "Unified Multisensory Perception", ECCV 2020)."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS, SPLITS
from rlld_gym.data.llp.annotation_files import (
    DENSE_FILES,
    WEAK_FILES,
    DenseRow,
    WeakRow,
    annotation_paths,
    read_dense,
    read_weak,
    refuse_duplicate_videos,
)
from rlld_gym.data.llp.annotation_repairs import repair_audio_rows
from rlld_gym.data.llp.defects import (
    DEFECT_KINDS,
    Defect,
    coverage_defects,
    defect_report,
    disagreement_defects,
    event_defects,
    label_defects,
)
from rlld_gym.errors import InputError


@dataclass(frozen=True, eq=False)
class SplitAnnotations:
    """Annotations of one split, in file order; arrays are read-only.

    Attributes:
        filenames: N video names: 11-character id, then _START_END in seconds.
        labels: (N, 25) bool, the weak video-level labels.
        dense_audio: (N, 10, 25) bool, what is heard in each segment; None for the training split.
        dense_visual: (N, 10, 25) bool, what is seen in each segment; None for the training split.
    """

    filenames: tuple[str, ...]
    labels: NDArray[np.bool_]
    dense_audio: NDArray[np.bool_] | None
    dense_visual: NDArray[np.bool_] | None


@dataclass(frozen=True, eq=False)
class Annotations:
    """The three splits and every defect found in their files."""

    train: SplitAnnotations
    val: SplitAnnotations
    test: SplitAnnotations
    defects: tuple[Defect, ...]

    def split(self, name: str) -> SplitAnnotations:
        """Return the split called "train", "val" or "test"; ValueError for another name."""
        if name not in SPLITS:
            raise ValueError(f"unknown split {name!r}; expected one of {', '.join(SPLITS)}")
        split: SplitAnnotations = getattr(self, name)
        return split

    def counts(self, file: str | None = None) -> dict[str, int]:
        """Return the number of defects of every kind (zeros included), of all files or of the one named."""
        counts = dict.fromkeys(DEFECT_KINDS, 0)
        for defect in self.defects:
            counts[defect.kind] += file is None or defect.file == file
        return counts

    def report(self, limit: int | None = None) -> str:
        """Return the defects as text: counts per kind and file, then up to ``limit`` of each kind."""
        return defect_report(self.defects, limit)


def load_annotations(folder: str | os.PathLike[str], strict: bool = False) -> Annotations:
    """Read LLP's five annotation files from ``folder`` and name every defect in them.

    Events are half-open intervals [onset, offset) of one-second segments; they are rasterised, so that empty
    intervals mark nothing, and duplicates, overlapping and touching intervals merge. Rows whose name matches
    no validation or test video are left out. The three broken rows that the audio file had until April 2024
    are repaired as the LLP authors repaired them, with a warning.

    Args:
        folder: holds AVVP_train.csv, AVVP_val_pd.csv, AVVP_test_pd.csv, AVVP_eval_audio.csv and
            AVVP_eval_visual.csv, tab-separated, UTF-8.
        strict: refuse a file with broken rows instead of repairing them.

    Returns:
        The splits, with every defect by kind, file and line.

    Raises:
        InputError: files are missing or malformed, a class is unknown, a video occurs twice, no event
            belongs to a video, or ``strict`` and rows need repair.
    """
    paths = annotation_paths(Path(folder))
    weak = {split: read_weak(paths[split]) for split in WEAK_FILES}
    refuse_duplicate_videos((paths[split], rows) for split, rows in weak.items())
    dense = {modality: read_dense(paths[modality]) for modality in DENSE_FILES}
    videos = {row.filename for split in ("val", "test") for row in weak[split]}
    dense["audio"], defects = repair_audio_rows(paths["audio"], dense["audio"], videos, strict)
    for split, weak_rows in weak.items():
        defects += label_defects(WEAK_FILES[split], weak_rows)
    for modality, rows in dense.items():
        _refuse_foreign_events(paths[modality], rows, videos)
        defects += event_defects(DENSE_FILES[modality], rows, videos)
    splits = {split: _split_annotations(split, rows, dense) for split, rows in weak.items()}
    for split in ("val", "test"):
        defects += _split_defects(WEAK_FILES[split], weak[split], dense, splits[split])
    return Annotations(splits["train"], splits["val"], splits["test"], tuple(defects))


def _refuse_foreign_events(path: Path, rows: Sequence[DenseRow], videos: set[str]) -> None:
    if not any(row.filename in videos for row in rows):
        raise InputError(
            f"{path}: none of its {len(rows)} rows names a validation or test video; expected the events of "
            f"the videos in {WEAK_FILES['val']} and {WEAK_FILES['test']}"
        )


def _split_annotations(
    split: str, rows: Sequence[WeakRow], dense: dict[str, list[DenseRow]]
) -> SplitAnnotations:
    labels = np.zeros((len(rows), len(CLASSES)), dtype=np.bool_)
    for number, row in enumerate(rows):
        labels[number, list(row.classes)] = True
    labels.setflags(write=False)
    filenames = tuple(row.filename for row in rows)
    if split == "train":
        return SplitAnnotations(filenames, labels, None, None)
    return SplitAnnotations(
        filenames, labels, _rasterise(filenames, dense["audio"]), _rasterise(filenames, dense["visual"])
    )


def _rasterise(filenames: Sequence[str], rows: Sequence[DenseRow]) -> NDArray[np.bool_]:
    """Return (N, 10, C): segments that some row of the video covers; rows of other videos are skipped."""
    position = {filename: number for number, filename in enumerate(filenames)}
    events = np.array(
        [
            (position[row.filename], row.onset, row.offset, row.class_index)
            for row in rows
            if row.filename in position
        ],
        dtype=np.intp,
    ).reshape(-1, 4)
    video, onset, offset, class_index = events.T
    segments = np.arange(NUM_SEGMENTS)
    event, segment = np.nonzero((segments >= onset[:, None]) & (segments < offset[:, None]))
    grid = np.zeros((len(filenames), NUM_SEGMENTS, len(CLASSES)), dtype=np.bool_)
    grid[video[event], segment, class_index[event]] = True
    grid.setflags(write=False)
    return grid


def _split_defects(
    file: str, rows: Sequence[WeakRow], dense: dict[str, list[DenseRow]], split: SplitAnnotations
) -> list[Defect]:
    assert split.dense_audio is not None
    assert split.dense_visual is not None
    grids = {"audio": split.dense_audio, "visual": split.dense_visual}
    events = {modality: {row.filename for row in events} for modality, events in dense.items()}
    return [
        *coverage_defects(file, rows, events, grids),
        *disagreement_defects(file, rows, split.labels, grids),
    ]
