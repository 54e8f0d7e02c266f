"""What can be wrong with the content of an open store file, or with names and numbers of a whole store."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.split import TEACHERS
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.layout import FLAGS, datasets_in, split_rows
from rlld_gym.data.store.seal import dataset_checksum, row_blocks
from rlld_gym.data.video_names import is_video_name

TOLERATED_DISAGREEMENT: Final = 0.1
"""Weak and dense labels disagree in about 2 of 100 LLP labels; more than this share means exchanged rows."""

FEWEST_VALIDATION: Final = 2
"""Validation videos that imitation needs."""


def checksum_problems(
    file: h5py.File, header: StoreHeader, whole: Mapping[str, "hashlib._Hash"] | None = None
) -> Iterator[str]:
    """Yield which datasets are not those that were written; add their bytes to the checksums of a whole store."""
    for key in datasets_in(file):
        stored = header.attributes["checksums"].get(key)
        if stored is None:
            yield f"dataset {key!r}: no checksum in the file"
        elif dataset_checksum(file[key], (whole or {}).get(key)) != stored:
            yield f"dataset {key!r}: the checksum differs: the content was changed after the file was written"


def value_problems(file: h5py.File) -> Iterator[str]:
    """Yield values that are no numbers, no shares or no flags."""
    for key in ("audio", "visual"):
        bad = [
            row + rows.start
            for rows in row_blocks(file[key])
            for row in np.flatnonzero(~np.isfinite(file[key][rows]).all(axis=(1, 2))).tolist()
        ]
        if bad:
            yield f"dataset {key!r}: NaN or infinity in {len(bad)} videos: {_names(file, bad)}"
    for key in TEACHERS:
        if key in file and not all(_shares(file[key][rows]) for rows in row_blocks(file[key])):
            yield f"dataset {key!r}: values outside [0, 1]"
    for key in FLAGS:
        bad = sorted(
            {int(row) + rows.start for rows in row_blocks(file[key]) for row in _not_flags(file, key, rows)}
        )
        if bad:
            yield f"dataset {key!r}: values other than 0 and 1 in {len(bad)} videos: {_names(file, bad)}"


def _shares(values: NDArray[np.float16]) -> bool:
    """Return whether all values lie in [0, 1]; NaN does not."""
    return bool(((values >= 0) & (values <= 1)).all())


def _not_flags(file: h5py.File, key: str, rows: slice) -> list[int]:
    found: list[int] = np.argwhere(file[key][rows] > 1)[:, 0].tolist()
    return found


def name_problems(file: Mapping[str, Any]) -> Iterator[str]:
    """Yield names that are empty or not unique; the mapping has the dataset "filenames"."""
    names = file["filenames"][...]
    empty = np.flatnonzero(np.char.strip(names) == b"").tolist()
    if empty:
        yield f"dataset 'filenames': {len(empty)} videos without a name, the first is video {empty[0]}"
    kinds = [("a file name", names)]
    if all(is_video_name(name.decode(errors="replace")) for name in names.tolist()):
        kinds.append(("a video id (first 11 characters)", names.astype("S11")))  # features are keyed by it
    for what, values in kinds:
        unique, counts = np.unique(values, return_counts=True)
        repeated = [value.decode(errors="replace") for value in unique[counts > 1].tolist()]
        if repeated:
            yield (
                f"dataset 'filenames': {len(repeated)} times {what} that "
                f"another video has: {_shorten(repeated)}"
            )


def number_problems(file: Mapping[str, Any], header: StoreHeader) -> Iterator[str]:
    """Yield what leaves nothing to learn from; the mapping has the dataset "labels"."""
    rows = split_rows(header.counts)
    if not file["labels"][rows["train"]].any():
        yield "split 'train': no video has a label: there is nothing to denoise and nothing to learn from"
    if header.counts["val"] < FEWEST_VALIDATION:
        yield (
            f"split 'val': {header.counts['val']} video; imitation, the default of 'rlld train', needs "
            f"{FEWEST_VALIDATION} to learn from some and try itself on others"
        )


def label_problems(file: h5py.File, name: str, rows: slice) -> Iterator[str]:
    """Yield what is wrong with the labels of some rows, videos of one split."""
    labels, known = file["labels"][rows] != 0, file["dense_known"][rows] != 0
    unlabelled = (np.flatnonzero(~labels.any(axis=1)) + rows.start).tolist()
    if unlabelled:
        yield f"split {name!r}: {len(unlabelled)} videos without a label: {_names(file, unlabelled)}"
    if known.any() and not known.all():
        found = f"dense labels for {int(known.sum())} of {known.size} videos"
        yield f"split {name!r}: {found}; expected all or none"
    present = (file["dense_audio"][rows] | file["dense_visual"][rows]).any(axis=1)
    if present[~known].any():
        yield f"split {name!r}: dense labels in videos whose dense labels are said to be unknown"
    labels, present = labels[known], present[known]
    for what, wrong, total in (
        ("weak labels are in neither dense track", labels & ~present, labels),
        ("densely labelled classes are absent from the weak labels", present & ~labels, present),
    ):
        if wrong.sum() > TOLERATED_DISAGREEMENT * max(1, total.sum()):
            yield f"split {name!r}: {int(wrong.sum())} of {int(total.sum())} {what}: rows exchanged?"


def _names(file: h5py.File, rows: list[int]) -> str:
    shown = [file["filenames"][row].decode(errors="replace") for row in rows[:6]]
    return _shorten(shown, len(rows))


def _shorten(values: list[str], total: int | None = None) -> str:
    total = len(values) if total is None else total
    return ", ".join(values[:5]) + (f" and {total - 5} more" if total > 5 else "")
