"""LLP's annotations as arrays (Tian, Li and Xu, "Unified Multisensory Perception", ECCV 2020)."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import SPLITS
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
from rlld_gym.data.llp.layout import LLP, DataLayout
from rlld_gym.errors import InputError

MANY_UNLISTED: Final = 0.1
"""Share of videos without any event from which on a warning is due; of LLP's it is below 0.01."""


@dataclass(frozen=True, eq=False)
class SplitAnnotations:
    """Annotations of one split, in file order; arrays are read-only.

    Attributes:
        filenames: N video names; LLP's are an 11-character id, then _START_END in seconds.
        labels: (N, C) bool, the weak video-level labels.
        dense_audio: (N, T, C) bool, what is heard in each segment; None where unknown, as in LLP's training split.
        dense_visual: (N, T, C) bool, what is seen in each segment; None exactly where ``dense_audio`` is.
        unlisted: videos that were left out because no event file names them, see `DataLayout.dense`.
    """

    filenames: tuple[str, ...]
    labels: NDArray[np.bool_]
    dense_audio: NDArray[np.bool_] | None
    dense_visual: NDArray[np.bool_] | None
    unlisted: tuple[str, ...] = ()

    def rows(self, chosen: NDArray[np.bool_]) -> "SplitAnnotations":
        """Return the videos that are True in (N,), in their order."""
        heard, seen = (
            None if track is None else track[chosen] for track in (self.dense_audio, self.dense_visual)
        )
        names = tuple(name for name, kept in zip(self.filenames, chosen, strict=True) if kept)
        return SplitAnnotations(names, self.labels[chosen], heard, seen, self.unlisted)


@dataclass(frozen=True, eq=False)
class Annotations:
    """The three splits, every defect found in their files, and the names of these files."""

    train: SplitAnnotations
    val: SplitAnnotations
    test: SplitAnnotations
    defects: tuple[Defect, ...]
    files: tuple[str, ...] = (*WEAK_FILES.values(), *DENSE_FILES.values())

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
        return defect_report(self.defects, limit, self.files)


def load_annotations(
    folder: str | os.PathLike[str], strict: bool = False, layout: DataLayout = LLP
) -> Annotations:
    """Read a data set's annotation files from ``folder`` and name every defect in them.

    Events are half-open intervals [onset, offset) of segments; they are rasterised, so that empty intervals mark
    nothing, and duplicates, overlapping and touching intervals merge. Rows whose name matches no video are left
    out. The three broken rows that LLP's audio file had until April 2024 are repaired as the LLP authors repaired
    them, with a warning.

    A split has dense labels where event files name one of its videos; the training split only where they name all.

    Args:
        folder: holds AVVP_train.csv, AVVP_val_pd.csv, AVVP_test_pd.csv and, where there are dense labels,
            AVVP_eval_audio.csv and AVVP_eval_visual.csv, or the same as train.csv, val.csv, test.csv,
            dense_audio.csv and dense_visual.csv; UTF-8, separated by tabs or commas.
        strict: refuse a file with broken rows instead of repairing them.
        layout: classes, number of segments, how videos are named, and what an unlisted video means.

    Returns:
        The splits, with every defect by kind, file and line.

    Raises:
        InputError: files are missing or malformed, a class is unknown, a video occurs twice, no event
            belongs to a video, or ``strict`` and rows need repair.
    """
    paths = annotation_paths(Path(folder))
    weak = {split: read_weak(paths[split], layout) for split in WEAK_FILES}
    refuse_duplicate_videos(((paths[split], rows) for split, rows in weak.items()), layout)
    dense = {modality: read_dense(paths[modality], layout) for modality in DENSE_FILES if modality in paths}
    events = {row.filename for rows in dense.values() for row in rows}
    videos = {row.filename for split in ("val", "test") for row in weak[split]}
    if all(row.filename in events for row in weak["train"]):
        videos |= {row.filename for row in weak["train"]}
    defects: list[Defect] = []
    if dense and layout.classes == LLP.classes:
        dense["audio"], defects = repair_audio_rows(paths["audio"], dense["audio"], videos, strict)
    for split, weak_rows in weak.items():
        defects += label_defects(paths[split].name, weak_rows, layout.classes)
    for modality, rows in dense.items():
        _refuse_foreign_events(paths[modality], rows, videos, paths)
        defects += event_defects(paths[modality].name, rows, videos, layout)
    splits = {}
    for split, weak_rows in weak.items():
        splits[split], kept = _split_annotations(split, weak_rows, dense, layout)
        if split != "train":
            defects += _split_defects(paths[split].name, kept, dense, splits[split], layout)
    return Annotations(**splits, defects=tuple(defects), files=tuple(path.name for path in paths.values()))


def _refuse_foreign_events(
    path: Path, rows: Sequence[DenseRow], videos: set[str], paths: dict[str, Path]
) -> None:
    if not any(row.filename in videos for row in rows):
        raise InputError(
            f"{path}: none of its {len(rows)} rows names a validation or test video; expected the events of "
            f"the videos in {paths['val'].name} and {paths['test'].name}"
        )


def _split_annotations(
    split: str, rows: Sequence[WeakRow], dense: dict[str, list[DenseRow]], layout: DataLayout
) -> tuple[SplitAnnotations, Sequence[WeakRow]]:
    """Return the annotations of a split and the rows of its videos, without those that nobody annotated."""
    named = {row.filename for events in dense.values() for row in events}
    listed = [row for row in rows if row.filename in named]
    known = bool(listed) and (split != "train" or len(listed) == len(rows))
    unlisted: tuple[str, ...] = ()
    if known and layout.dense == "all" and len(rows) - len(listed) > MANY_UNLISTED * len(rows):
        warnings.warn(
            f"{len(rows) - len(listed)} of the {len(rows)} videos of split {split!r} have no event in either file: "
            "they count as videos in which nothing happens; if nobody annotated them, import with --dense listed",
            stacklevel=3,
        )
    if known and layout.dense == "listed":
        unlisted = tuple(row.filename for row in rows if row.filename not in named)
        rows = listed
    labels = np.zeros((len(rows), len(layout.classes)), dtype=np.bool_)
    for number, row in enumerate(rows):
        labels[number, list(row.classes)] = True
    labels.setflags(write=False)
    filenames = tuple(row.filename for row in rows)
    if not known:
        return SplitAnnotations(filenames, labels, None, None), rows
    heard, seen = (_rasterise(filenames, dense[modality], layout) for modality in DENSE_FILES)
    return SplitAnnotations(filenames, labels, heard, seen, unlisted), rows


def _rasterise(filenames: Sequence[str], rows: Sequence[DenseRow], layout: DataLayout) -> NDArray[np.bool_]:
    """Return (N, T, C): segments that some row of the video covers; rows of other videos are skipped."""
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
    segments = np.arange(layout.num_segments)
    event, segment = np.nonzero((segments >= onset[:, None]) & (segments < offset[:, None]))
    grid = np.zeros((len(filenames), layout.num_segments, len(layout.classes)), dtype=np.bool_)
    grid[video[event], segment, class_index[event]] = True
    grid.setflags(write=False)
    return grid


def _split_defects(
    file: str,
    rows: Sequence[WeakRow],
    dense: dict[str, list[DenseRow]],
    split: SplitAnnotations,
    layout: DataLayout,
) -> list[Defect]:
    """Return the defects that only dense labels show; none where the split has none."""
    if split.dense_audio is None or split.dense_visual is None:
        return []
    grids = {"audio": split.dense_audio, "visual": split.dense_visual}
    events = {modality: {row.filename for row in events} for modality, events in dense.items()}
    return [
        *coverage_defects(file, rows, events, grids, layout.classes),
        *disagreement_defects(file, rows, split.labels, grids, layout.classes),
    ]
