"""The three rows of AVVP_eval_audio.csv that were published broken in 2020 and repaired in April 2024."""

import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rlld_gym.data.classes import CLASSES
from rlld_gym.data.llp.annotation_files import DenseRow
from rlld_gym.data.llp.defects import Defect
from rlld_gym.errors import InputError

_REPAIRS: Final[dict[tuple[str, int, int, str], str]] = {
    # The class name of the row before (JfZEqeLZqWk_30_40 0-10 Baby_cry_infant_cry) took the filename's place.
    ("Baby_cry_infant_cry", 0, 4, "Speech"): "JfZEqeLZqWk_30_40",
    ("Baby_cry_infant_cry", 7, 10, "Speech"): "JfZEqeLZqWk_30_40",
    # A stray back-tick after the filename.
    ("KvIjsmANkxI_10_20`", 0, 1, "Cat"): "KvIjsmANkxI_10_20",
}
"""Broken row (filename, onset, offset, class) exactly as published -> filename in the authors' own repair."""


def repair_audio_rows(
    path: Path, rows: Sequence[DenseRow], videos: Collection[str], strict: bool
) -> tuple[list[DenseRow], list[Defect]]:
    """Give the known broken rows of the 2020 audio file the filenames that the LLP authors gave them in 2024.

    The rule is a table, not a guess: a row is repaired only where all four of its fields equal a broken row
    as published and the video it belongs to is among ``videos``. Any other row whose name matches no video
    stays as it is.

    Args:
        path: the file, for messages.
        rows: its rows.
        videos: filenames of the validation and test videos.
        strict: refuse instead of repairing.

    Returns:
        The rows, repaired, and one defect per repaired row.

    Raises:
        InputError: ``strict`` and there is a row to repair.
    """
    repaired, defects = [], []
    for row in rows:
        name = _REPAIRS.get((row.filename, row.onset, row.offset, CLASSES[row.class_index]))
        if name is None or name not in videos:
            repaired.append(row)
            continue
        repaired.append(replace(row, filename=name))
        detail = f"{row.filename!r} stands for {name} ({CLASSES[row.class_index]} {row.onset}-{row.offset})"
        defects.append(Defect("broken-filename", path.name, row.line, detail))
    if defects:
        listed = "; ".join(f"line {defect.line}: {defect.detail}" for defect in defects)
        found = f"{path}: broken rows of the 2020 revision: {listed}"
        if strict:
            raise InputError(
                f"{found}; expected the revision of April 2024: fetch it from the authors' repository, or "
                "load without strict to have these rows repaired"
            )
        warnings.warn(f"{found}; repaired as the LLP authors did in April 2024", stacklevel=3)
    return repaired, defects
