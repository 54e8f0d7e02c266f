"""Reading a store in several files: labels into memory, features mapped."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.fingerprint import joint_checksum
from rlld_gym.data.names import video_name_problem
from rlld_gym.data.sharded_array import ShardedArray
from rlld_gym.data.split import TEACHERS, Split
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.layout import FEATURES, SHARD_FORMAT, datasets_in
from rlld_gym.data.store.memory_map import map_datasets
from rlld_gym.data.store.opening import open_store_file
from rlld_gym.data.store.reading import cut_splits
from rlld_gym.data.store.seal import VERIFIED_BYTES, verify_arrays
from rlld_gym.data.store.shards.index import CHANGED_INDEX, RESHARD, ShardEntry, ShardIndex, read_index
from rlld_gym.data.store.stored_header import header_in
from rlld_gym.errors import InputError

_MEANING = ("classes", "dtype", "audio_size", "visual_2d_size", "visual_3d_size", "num_segments")


def read_shard_splits(folder: Path, header: StoreHeader) -> dict[str, Split]:
    """Read labels and names of all shards, one after another, and map their features.

    Args:
        folder: of the shards.
        header: what ``read_index`` found.

    Returns:
        The splits. Features are ``ShardedArray``; up to 64 MiB of them are verified.

    Raises:
        InputError: the index has changed, or a shard cannot be read, is damaged or of another store.
    """
    index = read_index(folder)
    if index.header != header:
        raise InputError(f"sharded store {folder}: has changed since it was opened; open it again")
    row_bytes = header.num_segments * (header.audio_size + header.visual_2d_size + header.visual_3d_size)
    features = sum(header.counts.values()) * row_bytes * np.dtype(header.dtype).itemsize
    parts: dict[str, list[Split]] = {name: [] for name in SPLITS}
    names = hashlib.sha256()
    for shard in index.shards:
        for name, split in _read_shard(
            folder, index, shard, names, verified=features <= VERIFIED_BYTES
        ).items():
            if len(split):
                parts[name].append(split)
    if names.hexdigest() != header.attributes["checksums"].get("filenames"):
        raise InputError(f"sharded store {folder}: dataset 'filenames': {CHANGED_INDEX}; {RESHARD}")
    splits = {name: _joined(folder, name, pieces) for name, pieces in parts.items()}
    if problem := video_name_problem([name for split in splits.values() for name in split.filenames]):
        raise InputError(f"sharded store {folder}: {problem}; {RESHARD}")
    return splits


@contextmanager
def open_shard(folder: Path, index: ShardIndex, shard: ShardEntry) -> Iterator[tuple[h5py.File, StoreHeader]]:
    """Open a shard and see whether it is the one that the index means.

    Yields:
        The file and its header.

    Raises:
        InputError: it is not, or it cannot be read.
    """
    with open_store_file(folder / shard.file) as file:
        header = header_in(file, SHARD_FORMAT)
        checksums = header.attributes["checksums"]
        if dict(header.counts) != dict(shard.videos):
            raise InputError(
                f"sharded store {folder}: shard {shard.file} has {_text(header)} videos, the index says "
                f"{'/'.join(str(shard.videos[name]) for name in SPLITS)}; {RESHARD}"
            )
        for key in _MEANING:
            if getattr(header, key) != getattr(index.header, key):
                raise InputError(
                    f"sharded store {folder}: shard {shard.file} is of another store: {key.replace('_', ' ')} "
                    f"{getattr(header, key)}, expected {getattr(index.header, key)}; {RESHARD}"
                )
        if joint_checksum(checksums, sorted(checksums)) != shard.checksum:
            raise InputError(
                f"sharded store {folder}: shard {shard.file} is of another store (its checksum differs); {RESHARD}"
            )
        yield file, header


def _read_shard(
    folder: Path, index: ShardIndex, shard: ShardEntry, names: "hashlib._Hash", *, verified: bool
) -> dict[str, Split]:
    """Return the splits of one shard, some of them without videos, and add its names to a checksum.

    Features are verified on request, all else always.
    """
    path = folder / shard.file
    with open_shard(folder, index, shard) as (file, header):
        arrays: dict[str, Any] = map_datasets(file, FEATURES, writable=False)
        others = [key for key in datasets_in(file) if key not in FEATURES]
        arrays |= {key: file[key][...] for key in others}
    names.update(arrays["filenames"].tobytes())
    verify_arrays(path, header, arrays, (*FEATURES, *others) if verified else others)
    if not header.attributes.get("finite", False):
        raise InputError(
            f"feature store {path}: features hold NaN or infinity; 'rlld data check {folder}' lists the videos; "
            "compute their features again"
        )
    return cut_splits(path, header, arrays)


def _joined(folder: Path, name: str, pieces: Sequence[Split]) -> Split:
    """Return one split of its pieces, which lie in several shards."""
    return Split(
        name=name,
        filenames=tuple(filename for piece in pieces for filename in piece.filenames),
        audio=ShardedArray([np.asarray(piece.audio) for piece in pieces]),
        visual=ShardedArray([np.asarray(piece.visual) for piece in pieces]),
        labels=np.concatenate([piece.labels for piece in pieces]),
        **{key: _joined_labels(folder, pieces, key) for key in ("dense_audio", "dense_visual", *TEACHERS)},
    )


def _joined_labels(folder: Path, pieces: Sequence[Split], key: str) -> Any:
    """Return what all pieces of a split have, None where none has it."""
    found = [getattr(piece, key) for piece in pieces]
    known = [value for value in found if value is not None]
    if known and len(known) < len(found):
        raise InputError(
            f"sharded store {folder}: {len(known)} of {len(found)} shards of split {pieces[0].name!r} have "
            f"{key.replace('_', ' ')} labels; expected all or none; {RESHARD}"
        )
    return np.concatenate(known) if known else None


def _text(header: StoreHeader) -> str:
    return "/".join(str(header.counts[name]) for name in SPLITS)
