"""Writing a store in several files, shard by shard, each block by block."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.fingerprint import joint_checksum
from rlld_gym.data.split import TEACHERS, Split
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.layout import DATASETS, FEATURES, SHARD_FORMAT, split_rows
from rlld_gym.data.store.opening import explained_writing, writable_file
from rlld_gym.data.store.shards.index import MOST_VIDEOS, ShardEntry, ShardIndex
from rlld_gym.data.store.space import require_space
from rlld_gym.data.store.structure import append_structure
from rlld_gym.data.store.writing import create_datasets, fill_datasets, write_attributes
from rlld_gym.errors import InputError
from rlld_gym.files import atomic_folder

_ROWS: Final = tuple(field.name for field in dataclasses.fields(Split) if field.name != "name")


def write_shards(
    store: FeatureStore,
    folder: str | os.PathLike[str],
    videos_per_shard: int = MOST_VIDEOS,
    progress: Callable[[int], object] | None = None,
) -> ShardIndex:
    """Write a store as a folder of shards, atomically.

    No more than 16 MiB of features are copied at a time; open the store with ``memory_map=True``, so that it does
    not read all of them.

    Args:
        store: of one file, of several, or in memory.
        folder: that there is not yet.
        videos_per_shard: 1 to 100000; the last shard may have fewer.
        progress: called with the number of videos of each shard that is written.

    Returns:
        The index.

    Raises:
        InputError: an impossible number, the folder is there already or cannot be written, the disk is too small,
            or the store is not what its checksums say.
    """
    if not 1 <= videos_per_shard <= MOST_VIDEOS:
        raise InputError(f"videos per shard: found {videos_per_shard}, expected 1 to {MOST_VIDEOS}")
    target = Path(folder)
    require_space(target, store.header)
    splits = {name: store.split(name) for name in SPLITS}
    name_bytes = max(len(name.encode()) for split in splits.values() for name in split.filenames)
    total = sum(store.header.counts.values())
    has_teachers = splits["train"].teacher_audio is not None
    whole = {key: hashlib.sha256() for key in (*DATASETS, *(TEACHERS if has_teachers else ()))}
    shards = []
    with explained_writing(f"sharded store {folder}"), atomic_folder(target) as temporary:
        for number, start in enumerate(range(0, total, videos_per_shard)):
            pieces = _between(splits, start, min(start + videos_per_shard, total))
            header = _shard_header(store.header, pieces, number)
            shards.append(
                _write_shard(temporary, header, pieces, number=number, name_bytes=name_bytes, whole=whole)
            )
            if progress is not None:
                progress(sum(header.counts.values()))
        checksums = {key: digest.hexdigest() for key, digest in whole.items()}
        _check_source(store, checksums)
        attributes = {**store.attributes, "checksums": checksums, "finite": True}
        index = ShardIndex(dataclasses.replace(store.header, attributes=attributes), tuple(shards))
        index.write(temporary)
    return index


def _between(splits: Mapping[str, Split], start: int, stop: int) -> dict[str, Split]:
    """Return some videos, counted over all splits in their order; a split may be left without any."""
    pieces = {}
    for name, rows in split_rows({name: len(splits[name]) for name in SPLITS}).items():
        first = min(max(start, rows.start), rows.stop) - rows.start
        last = min(max(stop, rows.start), rows.stop) - rows.start
        whole = {key: getattr(splits[name], key) for key in _ROWS}
        some: dict[str, Any] = {
            key: value if value is None else value[first:last] for key, value in whole.items()
        }
        pieces[name] = Split(name=name, **some)
    return pieces


def _shard_header(whole: StoreHeader, pieces: Mapping[str, Split], number: int) -> StoreHeader:
    """Return the header of one shard, which says of which store it is."""
    return dataclasses.replace(
        whole,
        counts={name: len(pieces[name]) for name in SPLITS},
        attributes={**whole.recommended._asdict(), "sources": {"shard": number, "of": whole.name}},
    )


def _write_shard(
    folder: Path,
    header: StoreHeader,
    pieces: Mapping[str, Split],
    *,
    number: int,
    name_bytes: int,
    whole: Mapping[str, "hashlib._Hash"],
) -> ShardEntry:
    """Write one shard, add its bytes to the checksums of the whole store, and return what the index says of it."""
    path = folder / f"shard-{number:05d}.h5"
    names = [filename for name in SPLITS for filename in pieces[name].filenames]
    with writable_file(path) as file:
        create_datasets(file, header, names, teachers=TEACHERS[0] in whole, name_bytes=name_bytes)
        fill_datasets(file, pieces, header.counts)
        checksums = write_attributes(file, header, SHARD_FORMAT, whole)
        if not file.attrs["finite"]:
            raise InputError("features hold NaN or infinity; 'rlld data check' lists the videos")
    append_structure(path, FEATURES)
    return ShardEntry.of(path, header.counts, joint_checksum(checksums, sorted(checksums)))


def _check_source(store: FeatureStore, written: Mapping[str, str]) -> None:
    """Raise InputError where a store had other bytes than its own checksums say."""
    known = store.attributes.get("checksums", {}) if store.path is not None else {}
    for key, checksum in written.items():
        if known.get(key, checksum) != checksum:
            raise InputError(
                f"feature store {store.path}: dataset {key!r} was changed after the file was written (its checksum "
                f"differs); 'rlld data check {store.path}' says more; nothing was written"
            )
