"""Revised labels as a CSV file for people and this package; `exports` writes what other code bases read.

``denoised_labels.csv`` is a comma-separated file with the columns ``filename``, ``audio_labels`` and
``visual_labels``. It has one row for every training video; the names within a field are joined by commas
(the field is then quoted), and the field of a modality that lost all its labels is empty. Names that hold commas,
quotes or line ends are quoted by the rules of CSV, within their field, too. ``denoised_labels.csv.about.json`` says
which data the labels belong to (`rlld_agents.labels.about`).
"""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rlld_agents.labels.about import Bools, LabelOrigin, about_path, check_about, write_about
from rlld_gym.data.names import class_name_problem, video_name_problem
from rlld_gym.errors import InputError
from rlld_gym.files import csv_lines, write_text
from rlld_gym.os_errors import explain, require_readable

COLUMNS = ("filename", "audio_labels", "visual_labels")
"""Columns of ``denoised_labels.csv``."""


def write_labels(
    path: str | os.PathLike[str],
    filenames: Sequence[str],
    classes: Sequence[str],
    audio: Bools,
    visual: Bools,
    *,
    origin: LabelOrigin | None = None,
) -> None:
    """Write revised labels as ``denoised_labels.csv``, atomically.

    Args:
        path: the file to write.
        filenames: N video names, in the order of the rows.
        classes: C class names, all different; any text but the empty one.
        audio: (N, C) bool, the audio labels that are left.
        visual: (N, C) bool, the visual labels that are left.
        origin: the videos, to write what the labels belong to, too; None: that is not written.

    Raises:
        ValueError: if shapes or names do not fit.
    """
    _check(filenames, classes, audio, visual)
    rows = [COLUMNS]
    for name, heard, seen in zip(filenames, audio, visual, strict=True):
        rows.append((name, _csv_text([_names(heard, classes)]), _csv_text([_names(seen, classes)])))
    # First what they belong to: a file of other labels beside it would be taken for changed ones.
    if origin is None:
        about_path(path).unlink(missing_ok=True)
    else:
        write_about(path, origin, audio, visual)
    write_text(path, _csv_text(rows) + "\n")


def read_labels(
    path: str | os.PathLike[str],
    classes: Sequence[str],
    filenames: Sequence[str],
    original: Bools,
) -> tuple[Bools, Bools]:
    """Read ``denoised_labels.csv`` back, in the order of ``filenames``.

    Args:
        path: a file as :func:`write_labels` writes it; its rows may come in any order, with any line ends, empty
            lines and a byte-order mark.
        classes: C class names of the data set.
        filenames: N names of the training videos.
        original: (N, C) bool, the weak labels; a revision may only remove.

    Returns:
        Audio and visual labels, (N, C) bool each.

    Raises:
        InputError: for an unreadable file, other columns, an unknown class, an unknown, duplicate or missing
            filename, a label that the video did not have, or labels that belong to other data.
    """
    class_index = {name: index for index, name in enumerate(classes)}
    row_of = {name: index for index, name in enumerate(filenames)}
    labels = np.zeros((2, len(filenames), len(classes)), dtype=bool)
    seen_at: dict[str, int] = {}
    for line, name, fields in _rows(path):
        place = f"{path}, line {line}"
        if name not in row_of:
            raise InputError(
                f"{place}: video {name!r} is not in the training split; is this the right data set?"
            )
        if name in seen_at:
            raise InputError(f"{place}: video {name!r} was already on line {seen_at[name]}; keep one of them")
        seen_at[name] = line
        for modality, text in enumerate(fields):
            for index in _indices(text, class_index, place, COLUMNS[1 + modality]):
                if not original[row_of[name], index]:
                    raise InputError(
                        f"{place}: {classes[index]!r} is in {COLUMNS[1 + modality]} but not among the "
                        "original labels of the video; denoising can only remove labels"
                    )
                labels[modality, row_of[name], index] = True
    missing = [name for name in filenames if name not in seen_at]
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of {len(filenames)} training videos have no row, the first is "
            f"{missing[0]!r}; a video without labels needs a row with empty fields"
        )
    check_about(path, LabelOrigin(filenames, classes, original), labels[0], labels[1])
    return labels[0], labels[1]


def _rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, str, tuple[str, str]]]:
    """Yield line number, filename and the two label fields of every row."""
    require_readable(path, "a label file")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            # Spreadsheets and editors leave empty lines.
            rows = (row for row in reader if any(field.strip() for field in row))
            header = next(rows, [])
            if tuple(header) != COLUMNS:
                raise InputError(f"{path}, line 1: found the columns {header}, expected {list(COLUMNS)}")
            for row in rows:
                if len(row) != len(COLUMNS):
                    raise InputError(
                        f"{path}, line {reader.line_num}: found {len(row)} fields, expected 3; names within "
                        'a field are joined by commas and then quoted, as in "Speech,Dog"'
                    )
                yield reader.line_num, row[0], (row[1], row[2])
    except OSError as error:
        raise InputError(f"{path}: {explain(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error}); expected {list(COLUMNS)}") from error


def _indices(text: str, class_index: Mapping[str, int], place: str, column: str) -> Iterator[int]:
    # As it comes from a file: "" has no name, and most texts no quote.
    labels = text.split(",") if '"' not in text else next(csv.reader(io.StringIO(text, newline="")), [])
    for label in labels if text else ():
        if label not in class_index:
            raise InputError(f"{place}: unknown class {label!r} in {column}, known: {', '.join(class_index)}")
        yield class_index[label]


def _names(row: Bools, classes: Sequence[str]) -> list[str]:
    return [classes[int(index)] for index in np.flatnonzero(row)]


def _csv_text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as CSV without the last line end."""
    return csv_lines(row for row in rows if row).removesuffix("\n")


def _check(filenames: Sequence[str], classes: Sequence[str], audio: Bools, visual: Bools) -> None:
    shape = (len(filenames), len(classes))
    for name, labels in (("audio", audio), ("visual", visual)):
        if labels.shape != shape or labels.dtype != np.bool_:
            raise ValueError(f"{name} labels: found {labels.dtype} {labels.shape}, expected bool {shape}")
    if problem := class_name_problem(classes) or video_name_problem(filenames):
        raise ValueError(problem)
