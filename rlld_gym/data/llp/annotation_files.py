"""Reading annotation files: rows of videos and of events with their line numbers, checked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from rlld_gym.data.classes import CLASSES
from rlld_gym.data.label_names import join_names, split_names
from rlld_gym.data.llp.layout import LLP, DataLayout
from rlld_gym.data.llp.text_table import is_comma_separated, read_table, read_text, refuse, shorten
from rlld_gym.data.video_names import is_video_name
from rlld_gym.errors import InputError

WEAK_FILES: Final = {"train": "AVVP_train.csv", "val": "AVVP_val_pd.csv", "test": "AVVP_test_pd.csv"}
"""Split -> LLP's file of its video-level labels."""

DENSE_FILES: Final = {"audio": "AVVP_eval_audio.csv", "visual": "AVVP_eval_visual.csv"}
"""Modality -> LLP's file of its events in the validation and test videos."""

PLAIN_FILES: Final = {
    **{split: f"{split}.csv" for split in WEAK_FILES},
    **{modality: f"dense_{modality}.csv" for modality in DENSE_FILES},
}
"""Split or modality -> what the same file may be called in other data sets."""

_WEAK_COLUMNS: Final = ("filename", "event_labels")
_DIGITS: Final = 10
"""A time has fewer; Python refuses to read some thousands."""
_DENSE_COLUMNS: Final = ("filename", "onset", "offset", "event_labels")


@dataclass(frozen=True, slots=True)
class WeakRow:
    """One video and the classes it is labelled with, in file order (a repeated label is repeated here)."""

    line: int
    filename: str
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DenseRow:
    """One event: a class in the segments onset .. offset - 1; empty where offset <= onset."""

    line: int
    filename: str
    onset: int
    offset: int
    class_index: int


def annotation_paths(folder: Path) -> dict[str, Path]:
    """Return split or modality -> path of the annotation files, those of events only where they are there.

    Raises:
        InputError: a file of weak labels is missing, named as LLP's or plainly, or one of the two files of events;
            the message names every missing one.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected the folder with LLP's annotation files")
    official = WEAK_FILES | DENSE_FILES
    paths = {
        role: next((path for path in (folder / name, folder / PLAIN_FILES[role]) if path.is_file()), None)
        for role, name in official.items()
    }
    events = [paths[modality] for modality in DENSE_FILES]
    needed = WEAK_FILES if not any(events) else official
    missing = [role for role in needed if paths[role] is None]
    if missing:
        found = {path.name for path in paths.values() if path is not None}
        expected = (
            f"the five annotation files of the LLP authors' repository: {', '.join(official.values())}; or, for "
            f"other data, {', '.join(PLAIN_FILES.values())}"
        )
        if found and found <= set(PLAIN_FILES.values()):
            official, expected = PLAIN_FILES, ", ".join(PLAIN_FILES.values())
        raise InputError(
            f"{folder}: missing {', '.join(official[role] for role in missing)}; expected {expected}. "
            "Where there are no dense labels, both files of events may be absent"
        )
    return {role: path for role, path in paths.items() if path is not None}


def read_weak(path: Path, layout: DataLayout = LLP) -> list[WeakRow]:
    """Read a file of video-level labels (columns filename, event_labels; labels joined by commas).

    Raises:
        InputError: not UTF-8, wrong header or number of columns, no rows, a malformed filename, a video without a
            label or an unknown class.
    """
    rows = read_table(path, _WEAK_COLUMNS, "video")
    _refuse_bad_names(path, ((line, fields[0]) for line, fields in rows), layout)
    empty = ((line, repr(filename)) for line, (filename, labels) in rows if not labels.strip(", "))
    refuse(path, empty, "no label", "a class at least: leave the video out")
    named = [(line, filename, _class_names(labels, layout)) for line, (filename, labels) in rows]
    _refuse_unknown_classes(path, ((line, name) for line, _, names in named for name in names), layout)
    return [
        WeakRow(line, filename, tuple(layout.class_index[name] for name in names))
        for line, filename, names in named
    ]


def read_dense(path: Path, layout: DataLayout = LLP) -> list[DenseRow]:
    """Read a file of events (columns filename, onset, offset, event_labels; one class a row).

    A filename that matches no video is not an error here: the published files contain such rows.

    Raises:
        InputError: not UTF-8, wrong header or number of columns, no rows, onset or offset that is not an
            integer in 0..T, or an unknown class.
    """
    rows = read_table(path, _DENSE_COLUMNS, "event")
    refuse(
        path,
        (
            (line, f"{column} {text!r}")
            for line, fields in rows
            for column, text in zip(_DENSE_COLUMNS[1:3], fields[1:3], strict=True)
            if not (
                text.isascii() and text.isdigit() and len(text) < _DIGITS and int(text) <= layout.num_segments
            )
        ),
        "bad onset or offset",
        f"integers in 0..{layout.num_segments}, the number of segments ({layout.segments_option})",
    )
    named = [(line, fields, _one_class(fields[3], layout)) for line, fields in rows]
    _refuse_unknown_classes(path, ((line, name) for line, _, name in named), layout)
    return [
        DenseRow(line, fields[0], int(fields[1]), int(fields[2]), layout.class_index[name])
        for line, fields, name in named
    ]


def refuse_duplicate_videos(
    splits: Iterable[tuple[Path, Sequence[WeakRow]]], layout: DataLayout = LLP
) -> None:
    """Refuse a video that occurs twice, within a split or in two of them (features are keyed by id or name).

    Raises:
        InputError: naming both places of the first few duplicated ids.
    """
    first: dict[str, tuple[str, int]] = {}
    for path, rows in splits:
        duplicates = []
        for row in rows:
            video = layout.video(row.filename)
            if video in first:
                duplicates.append(
                    (row.line, f"{row.filename!r} (first: {first[video][0]} line {first[video][1]})")
                )
            else:
                first[video] = (path.name, row.line)
        what = "id" if layout.named_by_id else "name"
        refuse(path, duplicates, f"duplicated video {what}", f"every {what} once over all three splits")


def _refuse_bad_names(path: Path, names: Iterable[tuple[int, str]], layout: DataLayout) -> None:
    """Refuse names that are not LLP's, or, where files have the names of videos, names that no file can have."""
    if layout.named_by_id:
        wrong = ((line, repr(name)) for line, name in names if not is_video_name(name))
        refuse(
            path,
            wrong,
            "malformed filename",
            "an 11-character video id, then _START_END ten seconds apart, such as BjCEufrlXm4_20_30; for npy files "
            "with the whole names of videos, say so: --feature-file '{name}.npy'",
        )
    unusable = ((line, repr(name)) for line, name in names if not _can_be_a_file(name))
    refuse(
        path, unusable, "malformed filename", "a name without blanks at its ends, '..' and a leading slash"
    )


def _can_be_a_file(name: str) -> bool:
    return bool(name) and name == name.strip() and not name.startswith("/") and ".." not in name.split("/")


def _class_names(field: str, layout: DataLayout) -> list[str]:
    """Return the names in a field; programs that quote fields may have quoted one with quotes once more."""
    try:
        names = split_names(field) or [""]
        if len(names) == 1 and '"' in names[0] and names[0] not in layout.class_index:
            names = split_names(names[0])
    except ValueError:
        return [field]  # an unknown class
    return names


def _one_class(field: str, layout: DataLayout) -> str:
    """Return the class of an event's field, which may hold commas without being quoted."""
    if field in layout.class_index:
        return field
    names = _class_names(field, layout)
    return names[0] if len(names) == 1 else field


def _refuse_unknown_classes(path: Path, names: Iterable[tuple[int, str]], layout: DataLayout) -> None:
    unknown = ((line, name) for line, name in names if name not in layout.class_index)
    described = ((line, text) for line, text in _with_suggestions(unknown, layout))
    if layout.classes == CLASSES:
        expected = "LLP's 25 class names, joined by commas without blanks; name others with --classes FILE"
    else:
        expected = (
            f"the {len(layout.classes)} class names {shorten(join_names(layout.classes))}, joined by commas "
            f"without blanks; a name that holds a comma stands in double quotes{_doubled_quotes(path, layout)}"
        )
    refuse(path, described, "unknown class", expected)


def _doubled_quotes(path: Path, layout: DataLayout) -> str:
    """Return how a comma-separated table quotes the quotes of a name; empty where there is nothing to show."""
    name = next((name for name in layout.classes if "," in name), None)
    if name is None or not is_comma_separated(read_text(path)):
        return ""
    return f", which a CSV doubles: {join_names([join_names([name])])}"


def _with_suggestions(names: Iterable[tuple[int, str]], layout: DataLayout) -> Iterator[tuple[int, str]]:
    lower_case = {name.lower(): name for name in layout.classes}
    for line, name in names:
        close = get_close_matches(name.strip().lower(), lower_case, n=1)
        yield line, shorten(repr(name)) + (f" (closest: {lower_case[close[0]]})" if close else "")
