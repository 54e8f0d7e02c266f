"""Opening the HDF5 file of a store, with every failure explained."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import h5py

from rlld_gym.data.store.structure import SIGNATURE, structure_problem
from rlld_gym.errors import InputError
from rlld_gym.os_errors import explain, is_about_locks, one_line, require_readable

REMAKE: Final = "make it again with 'rlld data import', 'rlld data twin' or 'rlld data shard'"
"""What helps where a store file cannot be used."""


def writable_file(path: Path, mode: Literal["w", "r+"] = "w") -> h5py.File:
    """Open a new or an existing file; new datasets begin at multiples of 64 bytes, so that they can be mapped."""
    return _opened(path, mode, alignment_threshold=1, alignment_interval=64)


@contextmanager
def open_store_file(path: Path) -> Iterator[h5py.File]:
    """Open a store file for reading; whatever HDF5 cannot read becomes an InputError."""
    require_readable(path, "a feature store", REMAKE)
    with path.open("rb") as raw:
        if raw.read(len(SIGNATURE)) != SIGNATURE:
            raise InputError(
                f"feature store {path}: not an HDF5 file ({path.stat().st_size} bytes); expected a store file; "
                f"{REMAKE}"
            )
    if problem := structure_problem(path):
        raise InputError(f"feature store {path}: truncated or damaged ({problem}); {REMAKE}")
    try:
        with _opened(path, "r") as file:
            yield file
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError, MemoryError) as error:
        explained = explain(error) if isinstance(error, OSError) else None
        if explained is not None:
            raise InputError(f"feature store {path}: {explained}") from error
        detail = one_line(error, 300)
        raise InputError(f"feature store {path}: truncated or damaged ({detail}); {REMAKE}") from error


@contextmanager
def explained_writing(what: str) -> Iterator[None]:
    """Let errors of writing, also HDF5's of closing a file, become InputErrors that begin with ``what``."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        explained = explain(error)
        if explained is None and not isinstance(error, OSError):
            raise
        raise InputError(f"{what}: cannot be written: {explained or error}") from error


def _opened(path: Path, mode: str, **options: Any) -> h5py.File:
    """Open a file, without a lock where the file system has none: files are never rewritten, readers need none."""
    try:
        return h5py.File(path, mode, **options)
    except OSError as error:
        if not is_about_locks(error):
            raise
        return h5py.File(path, mode, locking=False, **options)
