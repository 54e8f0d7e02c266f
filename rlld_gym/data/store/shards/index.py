"""The index of a store in several files: what the store is, and which shards it has in which order.

A folder holds ``index.json`` and the shards, ``shard-00000.h5`` and so on. A shard is laid out as a store file is
(see ``rlld_gym.data.store.layout``), with videos of one, two or all three splits. One behind another, the shards'
datasets are those of the store in one file: the checksums, and so the fingerprint, are the same.
"""

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.names import class_name_problem
from rlld_gym.data.split import FEATURE_DTYPES
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import write_sealed_json
from rlld_gym.os_errors import explain

INDEX_FILE: Final = "index.json"
MOST_VIDEOS: Final = 100_000
"""Videos of a shard at most: 5.4 GB at LLP's sizes in float16."""

RESHARD: Final = "put back the files of the folder, or make it again with 'rlld data shard'"
"""What helps where a folder cannot be used."""

INDEX_FORMAT: Final = FileFormat(
    "rlld-sharded-store", 1, "the index of a sharded store", RESHARD, version_key="format_version"
)

CHANGED_INDEX: Final = (
    "the checksum over all shards differs from the index's: its entries, or their order, were changed"
)
"""What is said of a dataset, of which no shard is damaged."""

_END_BYTES: Final = 512


@dataclass(frozen=True)
class ShardEntry:
    """What the index knows of a shard.

    Attributes:
        file: its name in the folder.
        videos: of each split.
        size: bytes of the file.
        end: checksum of its last 512 bytes, which say what the checksum of all but its features is.
        checksum: of the checksums of its datasets.
    """

    file: str
    videos: Mapping[str, int]
    size: int
    end: str
    checksum: str

    @classmethod
    def of(cls, path: Path, videos: Mapping[str, int], checksum: str) -> Self:
        """Return the entry of a shard that is complete and closed."""
        return cls(path.name, dict(videos), path.stat().st_size, end_of(path), checksum)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the entry that was written; KeyError, TypeError or ValueError where it is none."""
        file = values["file"]
        if not re.fullmatch(r"[\w-]+\.h5", file, re.ASCII):
            raise ValueError(f"a shard called {file!r}")
        entry = cls(file, _counts(values["videos"]), values["size"], values["end"], values["checksum"])
        if not 1 <= sum(entry.videos.values()) <= MOST_VIDEOS:
            raise ValueError(f"{file} has {sum(entry.videos.values())} videos; expected 1 to {MOST_VIDEOS}")
        return entry


@dataclass(frozen=True)
class ShardIndex:
    """What a folder of shards holds.

    Attributes:
        header: of the store, as it would be in one file.
        shards: in the order of the videos.
    """

    header: StoreHeader
    shards: tuple[ShardEntry, ...]

    def write(self, folder: Path) -> None:
        """Write ``index.json``."""
        write_sealed_json(
            folder / INDEX_FILE,
            {
                **INDEX_FORMAT.head,
                "store": dataclasses.asdict(self.header),
                "shards": [dataclasses.asdict(shard) for shard in self.shards],
            },
        )


def read_index(folder: Path) -> ShardIndex:
    """Read the index of a folder and see whether its shards are there; they are not opened.

    Raises:
        InputError: there is no index, it is damaged or of a newer version, its counts do not agree, or a shard is
            missing, shortened or another one.
    """
    path = folder / INDEX_FILE
    if not path.exists():
        raise InputError(
            f"{folder}: a folder without {INDEX_FILE}; expected a store file, or a folder that 'rlld data shard' "
            "made"
        )
    values = INDEX_FORMAT.read_json(path)
    try:
        header = _header(values["store"])
        index = ShardIndex(header, tuple(ShardEntry.from_json(shard) for shard in values["shards"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: entries are missing or damaged ({error}); {RESHARD}") from error
    _check_counts(path, index)
    for shard in index.shards:
        _check_file(folder, shard)
    return index


def end_of(path: Path) -> str:
    """Return a checksum, 16 hexadecimal digits, of the last 512 bytes of a file."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES))
        return hashlib.sha256(file.read()).hexdigest()[:16]


def _header(values: Mapping[str, Any]) -> StoreHeader:
    """Return the header that was written; KeyError, TypeError or ValueError where it is none."""
    known = {field.name: values[field.name] for field in dataclasses.fields(StoreHeader)}
    classes = tuple(str(name) for name in known["classes"])
    header = StoreHeader(**{**known, "classes": classes, "counts": _counts(known["counts"])})
    if problem := class_name_problem(classes):
        raise ValueError(problem)
    if header.dtype not in [dtype.name for dtype in FEATURE_DTYPES]:
        raise ValueError(f"features of dtype {header.dtype!r}")
    if min(header.counts.values()) < 1:
        raise ValueError(f"counts {header.counts}; every split needs a video")
    sizes = header.audio_size, header.visual_2d_size, header.visual_3d_size, header.num_segments
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ValueError(f"sizes {sizes}")
    for key in ("checksums", "sources"):
        if not isinstance(header.attributes[key], dict):
            raise ValueError(f"{key} {header.attributes[key]!r}")
    return header


def _counts(values: Mapping[str, Any]) -> dict[str, int]:
    counts = {name: values[name] for name in SPLITS}
    if not all(isinstance(count, int) and count >= 0 for count in counts.values()):
        raise ValueError(f"counts {counts}")
    return counts


def _check_counts(path: Path, index: ShardIndex) -> None:
    """Raise InputError where shards do not add up to the store, or come in another order than its videos."""
    for name in SPLITS:
        found, expected = sum(shard.videos[name] for shard in index.shards), index.header.counts[name]
        if found != expected:
            raise InputError(
                f"{path}: the shards have {found} videos of split {name!r}, the store {expected}; {RESHARD}"
            )
    present = [SPLITS.index(name) for shard in index.shards for name in SPLITS if shard.videos[name]]
    if present != sorted(present):
        raise InputError(f"{path}: the shards do not come in the order {', '.join(SPLITS)}; {RESHARD}")
    if len({shard.file for shard in index.shards}) != len(index.shards):
        raise InputError(f"{path}: a shard is named twice; {RESHARD}")


def _check_file(folder: Path, shard: ShardEntry) -> None:
    """Raise InputError where a shard is not the file that the index was written for."""
    path = folder / shard.file
    try:
        found = f"{path.stat().st_size} bytes"
        same = path.stat().st_size == shard.size and end_of(path) == shard.end
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        text = f"is missing; {RESHARD}" if missing else explain(error)
        raise InputError(f"sharded store {folder}: shard {shard.file}: {text}") from error
    if not same:
        raise InputError(
            f"sharded store {folder}: shard {shard.file} ({found}, expected {shard.size}): changed, shortened, or "
            f"of another store; {RESHARD}"
        )
