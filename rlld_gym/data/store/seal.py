"""Checksums of a store file: of its datasets, of its attributes, and that its features are numbers."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.opening import REMAKE
from rlld_gym.errors import InputError
from rlld_gym.files import checksum_of

SEAL: Final = "attributes_checksum"
"""Attribute: checksum of all others but ``checksums``, which the datasets answer for."""

VERIFIED_BYTES: Final = 64 * 2**20
"""Features of up to so many bytes are verified when they are read: a tenth of what it takes to start a command."""

_BLOCK_BYTES: Final = 16 * 2**20


def row_blocks(dataset: h5py.Dataset, rows: slice | None = None) -> Iterator[slice]:
    """Yield consecutive slices of some rows, or of all, of at most 16 MiB each, one row at least."""
    row_bytes = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:], dtype=np.int64))
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    first, end, _ = (slice(None) if rows is None else rows).indices(dataset.shape[0])
    for start in range(first, end, step):
        yield slice(start, min(start + step, end))


def dataset_checksum(dataset: h5py.Dataset, whole: "hashlib._Hash | None" = None) -> str:
    """Return the SHA-256, in hexadecimal, of a dataset's bytes in row-major order; add them to another, too."""
    digest = hashlib.sha256()
    for rows in row_blocks(dataset):
        content = dataset[rows].tobytes()
        digest.update(content)
        if whole is not None:
            whole.update(content)
    return digest.hexdigest()


def is_finite(dataset: h5py.Dataset) -> bool:
    """Return whether a dataset holds neither NaN nor infinity."""
    return all(bool(np.isfinite(dataset[rows]).all()) for rows in row_blocks(dataset))


def verify_arrays(path: Path, header: StoreHeader, arrays: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Raise InputError where arrays are not those that were written."""
    for key in keys:
        stored = header.attributes["checksums"].get(key)
        if (
            stored is not None
            and hashlib.sha256(np.ascontiguousarray(arrays[key]).data).hexdigest() != stored
        ):
            raise InputError(
                f"feature store {path}: dataset {key!r} was changed after the file was written (its checksum "
                f"differs); restore the file, or {REMAKE}"
            )


def check_seal(file: h5py.File, where: str) -> None:
    """Raise InputError where the attributes were changed since they were written; older files have no seal."""
    stored = file.attrs.get(SEAL)
    if stored is None:
        return
    if stored != seal_of(dict(file.attrs.items())):
        raise InputError(
            f"{where}: names, classes or other attributes were changed after the file was written (their checksum "
            f"differs); {REMAKE}"
        )


def seal_of(attributes: Mapping[str, Any]) -> str:
    """Return the checksum of a file's attributes."""
    return checksum_of(
        {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in attributes.items()
            if key not in (SEAL, "checksums")
        }
    )
