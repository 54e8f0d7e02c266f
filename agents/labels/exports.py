"""Revised labels in the forms that other code bases read; every run and ``rlld denoise`` write them.

``AVVP_train_audio.csv`` and ``AVVP_train_visual.csv`` have the layout of LLP's ``AVVP_train.csv`` (Tian, Li and Xu,
ECCV 2020): tab-separated, columns ``filename`` and ``event_labels``, no quoting, a row for every training video in
the same order. Readers of that layout split the second field at commas, and most read files with pandas, which
makes an empty field a missing number. The field of a video that lost its last label is therefore a lone comma: a
text, whose parts are empty names. Whoever looks names up must skip empty ones.

``removed_rows.tsv`` is the list of removals in the form of MA (Wu and Yang, CVPR 2021), see
`rlld_agents.labels.row_lists`; ``need_to_change.pkl`` the file that its code opens. ``noise_ratios.npz`` is what
the second stage of JoMoLD (Cheng et al., ECCV 2022) hands to the third: the share of each class's labels that is
noise.
"""

import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.about import LabelOrigin
from rlld_agents.labels.row_lists import MODALITIES, write_row_lists
from rlld_gym.files import atomic_path, write_text

HAN_FILES: Final = ("AVVP_train_audio.csv", "AVVP_train_visual.csv")
ROWS_NAME: Final = "removed_rows.tsv"
PICKLE_NAME: Final = "need_to_change.pkl"
RATIOS_NAME: Final = "noise_ratios.npz"
EXPORT_NAMES: Final = (*HAN_FILES, ROWS_NAME, RATIOS_NAME, PICKLE_NAME)
"""All files that may be written here."""

NO_LABEL: Final = ","
"""What stands where no label is left, see the module's text."""

_SEPARATORS: Final = ',"\t\r\n'

Bools = NDArray[np.bool_]


def write_exports(
    folder: Path,
    origin: LabelOrigin,
    kept: tuple[Bools, Bools],
    *,
    pickle_for_ma: bool = False,
) -> list[Path]:
    """Write revised labels in all forms that other code bases read, each file atomically.

    Args:
        folder: where to write.
        origin: the training videos, in their order.
        kept: the audio and the visual labels that are left, (N, C) bool each.
        pickle_for_ma: also write `PICKLE_NAME`.

    Returns:
        The files. Those in LLP's layout are left out where a name holds what the layout cannot quote: a comma, a
        quote, a tab or a line end.

    Raises:
        ValueError: shapes differ or a label was added.
    """
    rows, original = folder / ROWS_NAME, origin.weak
    filenames, classes = origin.filenames, origin.classes
    write_row_lists(rows, original, *kept, origin=origin)
    paths = [rows, _write_ratios(folder / RATIOS_NAME, original, kept)]
    problem = pair_problem(filenames, classes)
    if problem is None:
        paths += _write_han(folder, filenames, classes, kept)
    else:
        warnings.warn(f"{' and '.join(HAN_FILES)} are not written: {problem}", stacklevel=2)
    if origin.left_out is not None:
        warnings.warn(f"{folder}: {origin.left_out}", stacklevel=2)
    if pickle_for_ma:
        paths.append(_write_pickle(folder / PICKLE_NAME, original, kept))
    return paths


def pair_problem(filenames: Sequence[str], classes: Sequence[str]) -> str | None:
    """Return why names cannot be written in the layout of LLP, which has no quoting; None where they can."""
    for text in (*filenames, *classes):
        if set(text) & set(_SEPARATORS):
            return (
                f"the name {text!r} holds a comma, quote, tab or line end, and the layout of LLP has no quoting; "
                "where you need these files, rename it before 'rlld data import'"
            )
    return None


def _write_han(
    folder: Path, filenames: Sequence[str], classes: Sequence[str], kept: tuple[Bools, Bools]
) -> list[Path]:
    paths = [folder / name for name in HAN_FILES]
    for path, labels in zip(paths, kept, strict=True):
        fields = (
            ",".join(classes[index] for index in np.flatnonzero(row).tolist()) or NO_LABEL for row in labels
        )
        rows = [f"{name}\t{field}" for name, field in zip(filenames, fields, strict=True)]
        write_text(path, "\n".join(["filename\tevent_labels", *rows]) + "\n")
    return paths


def _write_ratios(path: Path, original: Bools, kept: tuple[Bools, Bools]) -> Path:
    """Write "audio" and "visual", (C,) float64 each: the share of a class's labels that was removed."""
    labels = np.maximum(original.sum(axis=0), 1)
    audio, visual = ((original & ~left).sum(axis=0) / labels for left in kept)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, audio=audio, visual=visual)
    return path


def _write_pickle(path: Path, original: Bools, kept: tuple[Bools, Bools]) -> Path:
    """Write a list for each modality, visual first: for each class, the rows of the videos that lose the label."""
    left = dict(zip(("audio", "visual"), kept, strict=True))
    rows = [[np.flatnonzero(column).tolist() for column in (original & ~left[name]).T] for name in MODALITIES]
    with atomic_path(path) as temporary:
        temporary.write_bytes(pickle.dumps(rows, protocol=4))
    return path
