"""What identifies a data set: whoever combines two files compares the fingerprints of their data."""

import dataclasses
import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.split import Split
from rlld_gym.errors import InputError

LABELS: Final = ("labels", "dense_audio", "dense_visual", "dense_known", "filenames")
"""Datasets that the checksum of labels covers."""
FEATURES: Final = ("audio", "visual")
"""Datasets that the checksum of features covers."""


@dataclass(frozen=True)
class DataFingerprint:
    """What identifies a data set, small enough for every file that belongs to it.

    Attributes:
        name: of the data set; not compared.
        seed: of a twin, None of other data; not compared.
        classes: the class names in their order.
        videos: of each split.
        segments: T.
        audio_size: Da.
        visual_2d_size: D2.
        visual_3d_size: D3.
        labels: checksum of names, weak and dense labels of all videos.
        features: checksum of their features.
    """

    name: str
    seed: int | None
    classes: tuple[str, ...]
    videos: Mapping[str, int]
    segments: int
    audio_size: int
    visual_2d_size: int
    visual_3d_size: int
    labels: str
    features: str

    @classmethod
    def from_dict(cls, values: Any, source: str) -> Self:
        """Return the fingerprint that `as_dict` gave; InputError, naming ``source``, where it is none."""
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(values, Mapping) or not set(names) <= set(values):
            raise InputError(f"{source}: what it says about its data set is incomplete; the file is damaged")
        try:
            known = {name: values[name] for name in names}
            return cls(**{**known, "classes": tuple(known["classes"]), "videos": dict(known["videos"])})
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{source}: what it says about its data set cannot be read ({error}); the file is damaged"
            ) from error

    def as_dict(self) -> dict[str, Any]:
        """Return the fingerprint for JSON."""
        return {**dataclasses.asdict(self), "classes": list(self.classes), "videos": dict(self.videos)}

    def meaning_difference(self, other: "DataFingerprint") -> str | None:
        """Return how other data differ in what numbers of a network stand for: classes, segments and sizes."""
        if found := self.class_difference(other.classes):
            return found
        for name, text in _SIZES.items():
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                return f"{text}: {mine} there, {theirs} here"
        return None

    def class_difference(self, classes: Sequence[str]) -> str | None:
        """Return how other classes ("here") differ from these ("there"); None: they do not."""
        return None if self.classes == tuple(classes) else _class_difference(self.classes, classes)

    def difference(self, other: "DataFingerprint") -> str | None:
        """Return in a few words how other data differ ("there" are these, "here" the others); None: they do not."""
        found = self.meaning_difference(other)
        if found is not None:
            return found
        for split in SPLITS:
            mine, theirs = self.videos.get(split), other.videos.get(split)
            if mine != theirs:
                return f"videos in split {split!r}: {mine} there, {theirs} here"
        for name, text in (("labels", "names or labels"), ("features", "features")):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                there, here = f"{self.described}, {mine}", f"{other.described}, {theirs}"
                return f"the {text} are others ({there}, there; {here}, here)"
        return None

    @property
    def described(self) -> str:
        """Name and, of a twin, seed."""
        return self.name if self.seed is None else f"{self.name} of seed {self.seed}"


_SIZES: Final = {
    "segments": "segments of a video",
    "audio_size": "audio features",
    "visual_2d_size": "2D visual features",
    "visual_3d_size": "3D visual features",
}


def array_checksums(splits: Mapping[str, Split]) -> dict[str, str]:
    """Return the SHA-256 of each dataset, in hexadecimal, that a store file of these splits would have."""
    parts = [splits[name] for name in SPLITS]
    names = [name.encode() for split in parts for name in split.filenames]
    arrays: dict[str, list[Any]] = {
        "audio": [split.audio for split in parts],
        "visual": [split.visual for split in parts],
        "labels": [split.labels for split in parts],
        "dense_audio": [_dense(split, split.dense_audio) for split in parts],
        "dense_visual": [_dense(split, split.dense_visual) for split in parts],
        "dense_known": [np.full(len(split), split.dense_audio is not None) for split in parts],
        "filenames": [np.array(names, dtype=f"S{max(map(len, names))}")],
    }
    checksums = {}
    for key, pieces in arrays.items():
        digest = hashlib.sha256()
        for piece in pieces:
            for start in range(0, len(piece), 1024):  # features may be larger than memory
                digest.update(np.ascontiguousarray(piece[start : start + 1024]).data)
        checksums[key] = digest.hexdigest()
    return checksums


def _dense(split: Split, dense: Any) -> Any:
    return np.zeros((*split.audio.shape[:2], split.labels.shape[-1]), np.bool_) if dense is None else dense


def joint_checksum(checksums: Mapping[str, str], keys: Sequence[str]) -> str:
    """Return one checksum, 16 hexadecimal digits, of those of some datasets."""
    text = json.dumps([checksums[key] for key in keys])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _class_difference(mine: Sequence[str], theirs: Sequence[str]) -> str:
    """Return how two lists of class names differ."""
    if len(mine) != len(theirs):
        return f"{len(mine)} classes there, {len(theirs)} here"
    index = next(i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
    order = "; the same classes in another order" if sorted(mine) == sorted(theirs) else ""
    return f"class {index} is {mine[index]!r} there, {theirs[index]!r} here{order}"


def require_same_meaning(
    known: DataFingerprint | None, data: DataFingerprint, what: str, source: str | os.PathLike[str]
) -> None:
    """Refuse data on which a network's numbers mean something else.

    Args:
        known: the data that the network learned from; None: not known, nothing is checked.
        data: that it is to be used on.
        what: the network is, for the message.
        source: its file.

    Raises:
        InputError: classes, their order, segments or sizes differ; the message names the first difference.
    """
    found = None if known is None else known.meaning_difference(data)
    if known is not None and found is not None:
        raise InputError(
            f"{source}: {what} of {known.described} does not fit {data.described}: {found}; use data with its "
            "classes in its order, or train a new one"
        )


def require_same(known: DataFingerprint | None, data: DataFingerprint, what: str) -> None:
    """Refuse to go on with other data than something was begun with.

    Args:
        known: the data that it was begun with; None: not known, nothing is checked.
        data: that are to be used now.
        what: was begun, such as "runs/a: the run".

    Raises:
        InputError: anything but the name differs; the message names the first difference.
    """
    found = None if known is None else known.difference(data)
    if found is not None:
        raise InputError(
            f"{what} was begun with other data; the data set was changed or replaced: {found}; put the first one "
            "back or name it with --data, or start anew in another folder"
        )


def warn_of_other_data(known: DataFingerprint | None, data: DataFingerprint, what: str) -> None:
    """Warn, in one line, where something is used on other data than it learned from: that may be wanted."""
    found = None if known is None else known.difference(data)
    if found is not None:
        warnings.warn(f"{what} learned from other data: {found}", stacklevel=2)
