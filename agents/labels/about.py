"""What a label file belongs to, in a file beside it: other readers of the label file never see it.

``denoised_labels.csv`` and ``removed_rows.tsv`` are read by other code, by pandas and by spreadsheets, none of
which expects a comment in them. So ``NAME.about.json`` says which data the labels of ``NAME`` were made for. A
label file without it is read all the same, and what its names and numbers say is checked as always.
"""

import hashlib
import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data import FeatureStore
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import write_sealed_json

SUFFIX: Final = ".about.json"
FORMAT: Final = FileFormat(
    "rlld-labels", None, "a note on what a label file belongs to", "delete it: labels are read without it"
)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LabelOrigin:
    """The training videos that labels are made for.

    Attributes:
        filenames: N names.
        classes: C names.
        weak: (N, C) bool, the weak labels.
        data: what identifies the data set; None: not known.
        left_out: what must be said of row numbers where the data set lacks some of the training videos of its
            annotation file; None: it has them all, or that is not known.
    """

    filenames: Sequence[str]
    classes: Sequence[str]
    weak: Bools
    data: DataFingerprint | None = None
    left_out: str | None = None

    @classmethod
    def of(cls, store: FeatureStore) -> "LabelOrigin":
        """Return the training videos of a data set."""
        train = store.split("train")
        return cls(
            train.filenames, store.classes, train.labels, store.fingerprint, store.header.left_out_note
        )

    def checksum(self, *, in_order: bool) -> str:
        """Return a checksum of names and weak labels; of videos and classes in any order, unless it matters."""
        if in_order:
            return _digest([*self.filenames, "", *self.classes, np.packbits(self.weak).tobytes().hex()])
        return _content(self.filenames, self.classes, self.weak)


def about_path(path: str | os.PathLike[str]) -> Path:
    """Return the file that says what a label file belongs to."""
    return Path(f"{os.fspath(path)}{SUFFIX}")


def write_about(
    path: str | os.PathLike[str], origin: LabelOrigin, audio: Bools, visual: Bools, *, in_order: bool = False
) -> None:
    """Write what a label file belongs to, atomically.

    Args:
        path: the label file.
        origin: the videos.
        audio: (N, C) bool, the audio labels that it says are left.
        visual: (N, C) bool.
        in_order: its rows are numbers: it fits only videos and classes in this very order.
    """
    write_sealed_json(
        about_path(path),
        {
            **FORMAT.head,
            "videos": origin.checksum(in_order=in_order),
            "labels": _content(origin.filenames, origin.classes, audio, visual),
            "data": None if origin.data is None else origin.data.as_dict(),
        },
    )


def check_about(
    path: str | os.PathLike[str], origin: LabelOrigin, audio: Bools, visual: Bools, *, in_order: bool = False
) -> None:
    """Check that a label file belongs to these videos, as far as there is a file that says what it belongs to.

    Labels that were changed since they were written are a warning: a label file is there to be worked with.

    Args:
        path: the label file.
        origin: the videos that it is to be used for.
        audio: (N, C) bool, as it was read.
        visual: (N, C) bool.
        in_order: as in `write_about`.

    Raises:
        InputError: it belongs to other videos, other labels or, where that matters, to another order of them.
    """
    place = about_path(path)
    if not place.exists():
        return
    about = FORMAT.read_json(place)
    if not isinstance(about.get("videos"), str):
        raise InputError(f"{place}: does not say what {Path(path).name} belongs to; delete it")
    if about["videos"] != origin.checksum(in_order=in_order):
        data = about.get("data")
        known = None if data is None else DataFingerprint.from_dict(data, str(place))
        difference = None if known is None or origin.data is None else known.difference(origin.data)
        whose = "another data set" if known is None else known.described
        order = ", or their order" if in_order else ""
        text = difference or f"the training videos, their weak labels{order} are others here"
        raise InputError(
            f"{path}: labels of {whose}: {text}; use the data set that they were made for, or, if they are meant "
            f"for this one, delete {place.name}"
        )
    if about.get("labels") != _content(origin.filenames, origin.classes, audio, visual):
        warnings.warn(
            f"{path}: its labels were changed since it was written ({place.name} has their checksum)",
            stacklevel=2,
        )


def _content(filenames: Sequence[str], classes: Sequence[str], *labels: Bools) -> str:
    """Return a checksum of who has which labels, whatever the order of videos and classes."""
    order = sorted(range(len(classes)), key=lambda index: classes[index])
    rows = sorted(range(len(filenames)), key=lambda row: filenames[row])
    packed = [np.packbits(part[rows][:, order]).tobytes().hex() for part in labels]
    return _digest([*(filenames[row] for row in rows), "", *(classes[index] for index in order), *packed])


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:16]
