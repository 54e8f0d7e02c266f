"""Reading LLP's annotation files: tab-separated rows with their line numbers, checked."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Final

from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS
from rlld_gym.errors import InputError

WEAK_FILES: Final = {"train": "AVVP_train.csv", "val": "AVVP_val_pd.csv", "test": "AVVP_test_pd.csv"}
"""Split -> file of its video-level labels."""

DENSE_FILES: Final = {"audio": "AVVP_eval_audio.csv", "visual": "AVVP_eval_visual.csv"}
"""Modality -> file of its events in the validation and test videos."""

ID_LENGTH: Final = 11
"""Characters of a video id; ids may contain ``_`` and ``-``, so a name is never split at those."""

_WEAK_COLUMNS: Final = ("filename", "event_labels")
_DENSE_COLUMNS: Final = ("filename", "onset", "offset", "event_labels")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{11}_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)", re.ASCII)
_CLASS_INDEX: Final = {name: index for index, name in enumerate(CLASSES)}
_LOWER_CASE: Final = {name.lower(): name for name in CLASSES}
_SHOWN: Final = 3


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
    """Return split or modality -> path of the five annotation files.

    Raises:
        InputError: a file is missing; the message names every missing one.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected the folder with LLP's annotation files")
    paths = {role: folder / name for role, name in (WEAK_FILES | DENSE_FILES).items()}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise InputError(
            f"{folder}: missing {', '.join(missing)}; expected the five annotation files of the LLP authors' "
            f"repository: {', '.join(path.name for path in paths.values())}"
        )
    return paths


def read_weak(path: Path) -> list[WeakRow]:
    """Read a file of video-level labels (columns filename, event_labels; labels joined by commas).

    Raises:
        InputError: not UTF-8, wrong header or number of columns, no rows, a malformed filename or an unknown
            class.
    """
    rows = _read_table(path, _WEAK_COLUMNS)
    _refuse(
        path,
        ((line, repr(fields[0])) for line, fields in rows if not is_video_name(fields[0])),
        "malformed filename",
        "an 11-character video id, then _START_END ten seconds apart, such as BjCEufrlXm4_20_30",
    )
    _refuse_unknown_classes(path, ((line, name) for line, fields in rows for name in fields[1].split(",")))
    return [
        WeakRow(line, filename, tuple(_CLASS_INDEX[name] for name in labels.split(",")))
        for line, (filename, labels) in rows
    ]


def read_dense(path: Path) -> list[DenseRow]:
    """Read a file of events (columns filename, onset, offset, event_labels; one class a row).

    A filename that matches no video is not an error here: the published files contain such rows.

    Raises:
        InputError: not UTF-8, wrong header or number of columns, no rows, onset or offset that is not an
            integer in 0..10, or an unknown class.
    """
    rows = _read_table(path, _DENSE_COLUMNS)
    _refuse(
        path,
        (
            (line, f"{column} {text!r}")
            for line, fields in rows
            for column, text in zip(_DENSE_COLUMNS[1:3], fields[1:3], strict=True)
            if not _is_segment_boundary(text)
        ),
        "bad onset or offset",
        f"integers in 0..{NUM_SEGMENTS}",
    )
    _refuse_unknown_classes(path, ((line, fields[3]) for line, fields in rows))
    return [
        DenseRow(line, filename, int(onset), int(offset), _CLASS_INDEX[name])
        for line, (filename, onset, offset, name) in rows
    ]


def refuse_duplicate_videos(splits: Iterable[tuple[Path, Sequence[WeakRow]]]) -> None:
    """Refuse a video id that occurs twice, within a split or in two of them (features are keyed by id).

    Raises:
        InputError: naming both places of the first few duplicated ids.
    """
    first: dict[str, tuple[str, int]] = {}
    for path, rows in splits:
        duplicates = []
        for row in rows:
            video_id = row.filename[:ID_LENGTH]
            if video_id in first:
                duplicates.append(
                    (row.line, f"{row.filename!r} (first: {first[video_id][0]} line {first[video_id][1]})")
                )
            else:
                first[video_id] = (path.name, row.line)
        _refuse(path, duplicates, "duplicated video id", "every id once over all three splits")


def is_video_name(name: str) -> bool:
    """Return whether ``name`` is an 11-character id followed by _START_END with END - START = 10 seconds."""
    match = _NAME.fullmatch(name)
    return match is not None and abs(float(match[2]) - float(match[1]) - NUM_SEGMENTS) < 1e-6


def _read_table(path: Path, columns: tuple[str, ...]) -> list[tuple[int, list[str]]]:
    """Return (1-based line, fields) of the data rows; blank lines are skipped."""
    reader = csv.reader(StringIO(_read_text(path), newline=None), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        rows = [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num}: {error}; expected tab-separated text") from error
    expected = f"{len(columns)} columns separated by tabs: {' '.join(columns)}"
    if not rows:
        raise InputError(f"{path}: empty file; expected a header line with {expected}")
    (line, header), *data = rows
    if tuple(header) != columns:
        raise InputError(f"{path} line {line}: wrong header {_shorten(repr(header))}; expected {expected}")
    if not data:
        subject = "video" if columns == _WEAK_COLUMNS else "event"
        raise InputError(f"{path}: no rows below the header; expected one row per {subject}")
    wrong = ((number, f"{len(fields)}") for number, fields in data if len(fields) != len(columns))
    _refuse(path, wrong, "wrong number of columns", expected)
    return data


def _read_text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a readable file") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path} line {line}: not UTF-8 text; save the file as UTF-8") from error


def _is_segment_boundary(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= NUM_SEGMENTS


def _refuse_unknown_classes(path: Path, names: Iterable[tuple[int, str]]) -> None:
    unknown = ((line, _with_suggestion(name)) for line, name in names if name not in _CLASS_INDEX)
    _refuse(path, unknown, "unknown class", "LLP's 25 class names, joined by commas without blanks")


def _with_suggestion(name: str) -> str:
    close = get_close_matches(name.strip().lower(), _LOWER_CASE, n=1)
    return _shorten(repr(name)) + (f" (closest: {_LOWER_CASE[close[0]]})" if close else "")


def _refuse(path: Path, problems: Iterable[tuple[int, str]], what: str, expected: str) -> None:
    """Raise one InputError for all ``problems`` (line, found) of one kind, if any, quoting the first few."""
    found = list(problems)
    if not found:
        return
    shown = "; ".join(f"line {line}: {_shorten(text)}" for line, text in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise InputError(f"{path}: {what}: {shown}{more}; expected {expected}")


def _shorten(text: str, length: int = 120) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
