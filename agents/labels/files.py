"""Revised labels as a CSV file for people and this package; `exports` writes what other code bases read.

``denoised_labels.csv`` is a comma-separated file with the columns ``filename``, ``audio_labels`` and
``visual_labels``. It has one row for every training video; the names within a field are joined by commas
(the field is then quoted), and the field of a modality that lost all its labels is empty.
"""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rlld_gym.errors import InputError
from rlld_gym.files import write_text

COLUMNS = ("filename", "audio_labels", "visual_labels")
"""Columns of ``denoised_labels.csv``."""


def write_labels(
    path: str | os.PathLike[str],
    filenames: Sequence[str],
    classes: Sequence[str],
    audio: NDArray[np.bool_],
    visual: NDArray[np.bool_],
) -> None:
    """Write revised labels as ``denoised_labels.csv``, atomically.

    Args:
        path: the file to write.
        filenames: N video names, in the order of the rows.
        classes: C class names; none may hold a comma, tab, quote or line break.
        audio: (N, C) bool, the audio labels that are left.
        visual: (N, C) bool, the visual labels that are left.

    Raises:
        ValueError: if shapes or names do not fit.
    """
    _check(filenames, classes, audio, visual)
    rows = [",".join(COLUMNS)]
    for name, heard, seen in zip(filenames, audio, visual, strict=True):
        rows.append(",".join((name, _quoted(_names(heard, classes)), _quoted(_names(seen, classes)))))
    write_text(path, "\n".join(rows) + "\n")


def read_labels(
    path: str | os.PathLike[str],
    classes: Sequence[str],
    filenames: Sequence[str],
    original: NDArray[np.bool_],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Read ``denoised_labels.csv`` back, in the order of ``filenames``.

    Args:
        path: a file as :func:`write_labels` writes it; its rows may come in any order.
        classes: C class names of the data set.
        filenames: N names of the training videos.
        original: (N, C) bool, the weak labels; a revision may only remove.

    Returns:
        Audio and visual labels, (N, C) bool each.

    Raises:
        InputError: for an unreadable file, other columns, an unknown class, an unknown, duplicate or missing
            filename, or a label that the video did not have.
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
    return labels[0], labels[1]


def _rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, str, tuple[str, str]]]:
    """Yield line number, filename and the two label fields of every row."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if tuple(header) != COLUMNS:
                raise InputError(f"{path}, line 1: found the columns {header}, expected {list(COLUMNS)}")
            for row in reader:
                if len(row) != len(COLUMNS):
                    raise InputError(
                        f"{path}, line {reader.line_num}: found {len(row)} fields, expected 3; names within "
                        'a field are joined by commas and then quoted, as in "Speech,Dog"'
                    )
                yield reader.line_num, row[0], (row[1], row[2])
    except OSError as error:
        raise InputError(f"{path}: cannot read the label file ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error}); expected {list(COLUMNS)}") from error


def _indices(text: str, class_index: Mapping[str, int], place: str, column: str) -> Iterator[int]:
    for label in text.split(",") if text else ():
        if label not in class_index:
            raise InputError(f"{place}: unknown class {label!r} in {column}, known: {', '.join(class_index)}")
        yield class_index[label]


def _names(row: NDArray[np.bool_], classes: Sequence[str]) -> str:
    return ",".join(classes[int(index)] for index in np.flatnonzero(row))


def _quoted(text: str) -> str:
    return f'"{text}"' if "," in text else text


def _check(
    filenames: Sequence[str], classes: Sequence[str], audio: NDArray[np.bool_], visual: NDArray[np.bool_]
) -> None:
    shape = (len(filenames), len(classes))
    for name, labels in (("audio", audio), ("visual", visual)):
        if labels.shape != shape or labels.dtype != np.bool_:
            raise ValueError(f"{name} labels: found {labels.dtype} {labels.shape}, expected bool {shape}")
    for text in (*filenames, *classes):
        if not text or any(character in text for character in ',"\t\r\n'):
            raise ValueError(
                f"the name {text!r} cannot be written: empty, or holds a comma, quote, tab or line end"
            )
