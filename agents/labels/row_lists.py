"""Removed labels as a list of rows, the form in which MA's results circulate (Wu and Yang, CVPR 2021).

MA's code keeps, per modality and class, the numbers of the training videos that lose the label. As a file, that
is tab-separated text with the columns ``modality`` ("audio" or "visual"), ``class_index`` and ``train_row``, both
counted from 0 in the order of the classes and of the training split. Rows are numbers, not names: such a list
fits only the very split that it was made from. A label that is not listed stays.
"""

import csv
import os
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.about import LabelOrigin, about_path, check_about, write_about
from rlld_gym.errors import InputError
from rlld_gym.files import write_text
from rlld_gym.os_errors import explain, require_readable

COLUMNS: Final = ("modality", "class_index", "train_row")
MODALITIES: Final = ("visual", "audio")
"""In the order in which MA keeps them."""

Bools = NDArray[np.bool_]


def write_row_lists(
    path: str | os.PathLike[str],
    original: Bools,
    audio: Bools,
    visual: Bools,
    *,
    origin: LabelOrigin | None = None,
) -> None:
    """Write what was removed, sorted by modality (visual first), class and row; atomically.

    Args:
        path: the file to write.
        original: (N, C) bool, the weak labels of the training videos, in their order.
        audio: (N, C) bool, the audio labels that are left.
        visual: (N, C) bool, the visual labels that are left.
        origin: the videos, to write what the list belongs to, too; None: that is not written.

    Raises:
        ValueError: shapes differ or a label was added.
    """
    lines = ["\t".join(COLUMNS)]
    for modality, kept in zip(MODALITIES, (visual, audio), strict=True):
        if kept.shape != original.shape or (kept & ~original).any():
            raise ValueError(f"{modality} labels must be a subset of the original ones, of the same shape")
        removed = np.argwhere((original & ~kept).T)
        lines += [f"{modality}\t{label}\t{row}" for label, row in removed.tolist()]
    if origin is None:
        about_path(path).unlink(missing_ok=True)
    else:
        write_about(path, origin, audio, visual, in_order=True)
    write_text(path, "\n".join(lines) + "\n")


def read_row_lists(
    path: str | os.PathLike[str], original: Bools, origin: LabelOrigin | None = None
) -> tuple[Bools, Bools]:
    """Read a list of removed labels.

    Args:
        path: a file as :func:`write_row_lists` writes it, rows in any order, any line ends, empty lines.
        original: (N, C) bool, the weak labels of the training videos that the row numbers count.
        origin: these videos, to be compared with what the list belongs to; None: nothing is compared.

    Returns:
        The audio and the visual labels that are left, (N, C) bool each.

    Raises:
        InputError: for an unreadable file, other columns, an unknown modality, a number that is none or out of
            range, a label that the video does not have, one that is listed twice, or a list of other data.
    """
    kept = {modality: original.copy() for modality in MODALITIES}
    limits = {"class_index": original.shape[1], "train_row": original.shape[0]}
    for line, (modality, *numbers) in _rows(path):
        place = f"{path}, line {line}"
        if modality not in kept:
            raise InputError(f"{place}: found the modality {modality!r}, expected 'audio' or 'visual'")
        for (column, limit), text in zip(limits.items(), numbers, strict=True):
            if not (text.isascii() and text.isdigit() and int(text) < limit):
                raise InputError(
                    f"{place}: {column} is {text!r}, expected a number from 0 to {limit - 1}; is this the "
                    "training split that the list was made from?"
                )
        label, row = map(int, numbers)
        if not original[row, label]:
            raise InputError(
                f"{place}: training row {row} has no label of class {label} to remove; is this the training "
                "split that the list was made from, with all its videos in their order?"
            )
        if not kept[modality][row, label]:
            raise InputError(f"{place}: this {modality} label is listed twice; keep one of the lines")
        kept[modality][row, label] = False
    if origin is not None:
        check_about(path, origin, kept["audio"], kept["visual"], in_order=True)
    return kept["audio"], kept["visual"]


def _rows(path: str | os.PathLike[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and the three fields of every row."""
    require_readable(path, "a row list")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            rows = (row for row in reader if any(field.strip() for field in row))
            header = next(rows, [])
            if tuple(header) != COLUMNS:
                raise InputError(
                    f"{path}, line 1: found the columns {header}, expected {list(COLUMNS)}, tab-separated"
                )
            for row in rows:
                if len(row) != len(COLUMNS):
                    raise InputError(f"{path}, line {reader.line_num}: found {len(row)} fields, expected 3")
                yield reader.line_num, row
    except OSError as error:
        raise InputError(f"{path}: {explain(error)}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error}); expected {list(COLUMNS)}") from error
