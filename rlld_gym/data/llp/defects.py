"""Defects of annotation files that do not prevent their use: each is named, none is passed in silence."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.llp.annotation_files import DenseRow, WeakRow
from rlld_gym.data.llp.layout import DataLayout
from rlld_gym.data.video_names import is_video_name

DEFECT_KINDS: Final[dict[str, str]] = {
    "broken-filename": "event row of the 2020 audio file with a broken name; repaired",
    "orphan": "event row whose name matches no validation or test video; ignored",
    "empty-interval": "event row with offset <= onset; marks no segment",
    "duplicate-row": "event row equal to an earlier one; merged",
    "overlapping-interval": "event that begins before the previous one of its video and class ends; merged",
    "overlapping-earlier-interval": "event clear of the previous one that overlaps one before; merged",
    "touching-interval": "event that begins where an earlier one of its video and class ends; merged",
    "repeated-label": "label that a video carries twice; counted once",
    "no-audio-row": "video without any audio event row",
    "no-visual-row": "video without any visual event row",
    "no-audio-segment": "video in which nothing is marked as heard",
    "no-visual-segment": "video in which nothing is marked as seen",
    "no-audio-visual-segment": "video in which nothing is heard and seen in the same segment",
    "unlabelled-event": "class that is heard or seen, but absent from the video's label",
    "label-without-event": "class of the video's label that is neither heard nor seen",
}
"""Kind -> what it means and how it is treated."""


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect: its kind (a key of ``DEFECT_KINDS``), its file, the 1-based line and what stands there.

    The header is line 1. Defects of a video as a whole are reported at the video's line in its split's file.
    """

    kind: str
    file: str
    line: int
    detail: str


def label_defects(file: str, rows: Sequence[WeakRow], classes: Sequence[str]) -> Iterator[Defect]:
    """Yield the labels that a row of a split's file repeats."""
    for row in rows:
        for index in sorted({index for index in row.classes if row.classes.count(index) > 1}):
            yield Defect("repeated-label", file, row.line, f"{row.filename}: {classes[index]}")


def event_defects(
    file: str, rows: Sequence[DenseRow], videos: Collection[str], layout: DataLayout
) -> Iterator[Defect]:
    """Yield the orphans, the empty and the duplicated rows of an event file, and its overlapping intervals.

    A row can have several defects; an exact duplicate also overlaps.

    Args:
        file: the file's name.
        rows: its rows.
        videos: filenames of all videos.
        layout: classes, and how videos are named.
    """
    first_line: dict[tuple[str, int, int, int], int] = {}
    groups: dict[tuple[str, int], list[DenseRow]] = defaultdict(list)
    for row in rows:
        if row.filename not in videos:
            malformed = ", malformed name" * (layout.named_by_id and not is_video_name(row.filename))
            yield Defect("orphan", file, row.line, _describe(row, layout) + malformed)
        key = (row.filename, row.onset, row.offset, row.class_index)
        if key in first_line:
            yield Defect(
                "duplicate-row", file, row.line, f"{_describe(row, layout)}, equal to line {first_line[key]}"
            )
        first_line.setdefault(key, row.line)
        if row.offset <= row.onset:
            yield Defect("empty-interval", file, row.line, _describe(row, layout))
        else:
            groups[row.filename, row.class_index].append(row)
    for group in groups.values():
        yield from _interval_defects(file, group, layout)


def coverage_defects(
    file: str,
    rows: Sequence[WeakRow],
    events: Mapping[str, Collection[str]],
    dense: Mapping[str, NDArray[np.bool_]],
    classes: Sequence[str],
) -> Iterator[Defect]:
    """Yield the videos of a split without rows or without marked segments.

    Args:
        file: name of the split's file.
        rows: its rows, N of them.
        events: "audio" and "visual" -> filenames that the modality's event file contains.
        dense: "audio" and "visual" -> (N, T, C) bool.
        classes: C names.
    """
    tracks = {**dense, "audio-visual": dense["audio"] & dense["visual"]}
    marked = {track: set(np.nonzero(grid)[0].tolist()) for track, grid in tracks.items()}
    for number, row in enumerate(rows):
        detail = f"{row.filename} ({','.join(classes[index] for index in row.classes)})"
        for modality, names in events.items():
            if row.filename not in names:
                yield Defect(f"no-{modality}-row", file, row.line, detail)
        for track, numbers in marked.items():
            if number not in numbers:
                yield Defect(f"no-{track}-segment", file, row.line, detail)


def disagreement_defects(
    file: str,
    rows: Sequence[WeakRow],
    labels: NDArray[np.bool_],
    dense: Mapping[str, NDArray[np.bool_]],
    classes: Sequence[str],
) -> Iterator[Defect]:
    """Yield the (video, class) pairs of a split in which label and events disagree.

    Args:
        file: name of the split's file.
        rows: its rows, N of them.
        labels: (N, C) bool.
        dense: "audio" and "visual" -> (N, T, C) bool.
        classes: C names.
    """
    heard, seen = (_pairs(np.any(dense[modality], axis=1)) for modality in ("audio", "visual"))
    for number, index in sorted(_pairs(labels) ^ (heard | seen)):
        row, name = rows[number], classes[index]
        if labels[number, index]:
            yield Defect("label-without-event", file, row.line, f"{row.filename}: {name}")
        else:
            tracks = [word for word, pairs in (("heard", heard), ("seen", seen)) if (number, index) in pairs]
            yield Defect(
                "unlabelled-event", file, row.line, f"{row.filename}: {name} is {' and '.join(tracks)}"
            )


def defect_report(defects: Sequence[Defect], limit: int | None, files: Sequence[str]) -> str:
    """Return ``defects`` as text: a table of counts per kind and file, then every defect by file and line.

    Args:
        defects: what to report.
        limit: at most this many are listed of a kind; None lists all.
        files: names of the annotation files, the columns of the table.
    """
    listed: dict[str, list[Defect]] = {kind: [] for kind in DEFECT_KINDS}
    for defect in defects:
        listed[defect.kind].append(defect)
    header = ["defect", *files, "all"]
    table = [header]
    for kind, found in listed.items():
        per_file = [sum(defect.file == file for defect in found) for file in files]
        table.append([kind, *(str(count) for count in per_file), str(len(found))])
    widths = [max(len(line[column]) for line in table) for column in range(len(header))]
    lines = [_aligned(line, widths) for line in table]
    for kind, found in listed.items():
        if found:
            lines += ["", f"{kind} ({len(found)}): {DEFECT_KINDS[kind]}"]
            lines += [f"  {defect.file}:{defect.line}: {defect.detail}" for defect in found[:limit]]
            if limit is not None and len(found) > limit:
                lines.append(f"  ... and {len(found) - limit} more")
    return "\n".join(lines) + "\n"


def _pairs(present: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Return the (video, class) pairs that are True in (N, C)."""
    return {(number, index) for number, index in np.argwhere(present).tolist()}


def _aligned(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers = (
        text.ljust(widths[0]) if not column else text.rjust(widths[column])
        for column, text in enumerate(line)
    )
    return "  ".join([first, *numbers])


def _describe(row: DenseRow, layout: DataLayout) -> str:
    return f"{row.filename} {layout.classes[row.class_index]} {row.onset}-{row.offset}"


def _interval_defects(file: str, group: Sequence[DenseRow], layout: DataLayout) -> Iterator[Defect]:
    """Compare the intervals of one video and class, by onset, with the previous and the longest before."""
    ordered = sorted(group, key=lambda row: row.onset)
    longest = ordered[0]
    for previous, row in pairwise(ordered):
        if row.onset < previous.offset:
            kind, other = "overlapping-interval", previous
        elif row.onset == previous.offset:
            kind, other = "touching-interval", previous
        elif row.onset < longest.offset:
            kind, other = "overlapping-earlier-interval", longest
        elif row.onset == longest.offset:
            kind, other = "touching-interval", longest
        else:
            kind, other = "", row
        if kind:
            detail = f"{_describe(row, layout)} and line {other.line}: {other.onset}-{other.offset}"
            yield Defect(kind, file, row.line, detail)
        if row.offset > longest.offset:
            longest = row
