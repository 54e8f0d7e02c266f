"""Verification of all that a folder of shards holds."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rlld_gym.data.store.layout import split_rows
from rlld_gym.data.store.problems import (
    checksum_problems,
    label_problems,
    name_problems,
    number_problems,
    value_problems,
)
from rlld_gym.data.store.shards.index import CHANGED_INDEX, RESHARD, ShardEntry, ShardIndex, read_index
from rlld_gym.data.store.shards.reading import open_shard, read_shard_splits
from rlld_gym.errors import InputError


def check_shards(folder: Path) -> list[str]:
    """Verify everything in a folder of shards: all that is in a store file, in every shard and over all of them.

    Args:
        folder: read once, in blocks of 16 MiB; names and weak labels of all videos are kept in memory.

    Returns:
        The problems, one line each, with the name of the shard; empty for a sound folder.
    """
    try:
        index = read_index(folder)
    except InputError as error:
        return [str(error)]
    whole = {key: hashlib.sha256() for key in index.header.attributes["checksums"]}
    small: dict[str, list[Any]] = {"labels": [], "filenames": []}
    problems = [
        problem for shard in index.shards for problem in _shard_problems(folder, index, shard, whole, small)
    ]
    return problems or list(_problems_over_all(folder, index, whole, small))


def _shard_problems(
    folder: Path,
    index: ShardIndex,
    shard: ShardEntry,
    whole: dict[str, "hashlib._Hash"],
    small: dict[str, list[Any]],
) -> Iterator[str]:
    """Yield what is wrong with one shard; add its bytes to checksums, its labels and names to lists."""
    try:
        with open_shard(folder, index, shard) as (file, header):
            rows_of = {name: rows for name, rows in split_rows(header.counts).items() if header.counts[name]}
            for problem in (
                *checksum_problems(file, header, whole),
                *value_problems(file),
                *(problem for name, rows in rows_of.items() for problem in label_problems(file, name, rows)),
            ):
                yield f"shard {shard.file}: {problem}"
            for key, values in small.items():
                values.append(file[key][...])
    except InputError as error:
        yield str(error)


def _problems_over_all(
    folder: Path, index: ShardIndex, whole: dict[str, "hashlib._Hash"], small: dict[str, list[Any]]
) -> Iterator[str]:
    """Yield what no shard shows alone."""
    arrays = {key: np.concatenate(values) for key, values in small.items()}
    found = [*name_problems(arrays), *number_problems(arrays, index.header)]
    for key, digest in whole.items():
        if digest.hexdigest() != index.header.attributes["checksums"][key]:
            found.append(f"dataset {key!r}: {CHANGED_INDEX}; {RESHARD}")
    if not found:
        try:
            read_shard_splits(folder, index.header)
        except InputError as error:
            found.append(str(error))
    yield from found
