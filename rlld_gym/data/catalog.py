"""Data sets by name or path, kept for the life of the process."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.shards.index import INDEX_FILE
from rlld_gym.data.twins.variants import KNOWN_TWINS, TWIN_NAMES, twin_parts
from rlld_gym.errors import InputError
from rlld_gym.turns import in_turn

if TYPE_CHECKING:
    from rlld_gym.data.tensors import StoreTensors

MEMORY_MAP_VARIABLE = "RLLD_MEMORY_MAP"
"""Environment variable: with the value 1, store files are mapped instead of read (see ``FeatureStore.open``)."""

_Key = tuple[str, int, int]
_stores: dict[_Key, FeatureStore] = {}
_tensors: dict[tuple[_Key, str], "StoreTensors"] = {}


@in_turn()
def open_data(data: str | os.PathLike[str], seed: int = 0) -> FeatureStore:
    """Return a data set; asked for again in the same process, the same object.

    Args:
        data: "twin-tiny", "twin-small", "twin-full", one of these with the ending of a variant such as
            "twin-small-context", or the path of a store file or of a folder of shards.
        seed: seed of a twin; ignored for a file.

    Returns:
        The store. Twins are generated in memory, files are opened lazily and again when they have changed; they
        are mapped into memory where the environment variable ``RLLD_MEMORY_MAP`` is 1.

    Raises:
        InputError: neither a twin's name nor a usable store file, or ``RLLD_MEMORY_MAP`` is neither 0 nor 1.
    """
    key = _key(data, seed)
    if key not in _stores:
        if key[0] in TWIN_NAMES:
            from rlld_gym.data.twins.generation import twin  # noqa: PLC0415 (only where a twin is wanted)

            scale, variant = twin_parts(key[0])
            _stores[key] = twin(scale, seed, variant)
        else:
            _stores[key] = FeatureStore.open(data, memory_map=_memory_map())
    return _stores[key]


def absolute_data(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments of an environment whose ``data`` means the same in every working directory.

    What is no path, or none that could be, stays as it is, to be refused by whoever reads it.
    """
    data = arguments.get("data")
    if not isinstance(data, str | os.PathLike) or not (name := os.fsdecode(data)) or name in TWIN_NAMES:
        return arguments
    return {**arguments, "data": os.path.abspath(name)}


@in_turn()
def shared_tensors(data: str | os.PathLike[str], device: str, seed: int = 0) -> "StoreTensors":
    """Return ``open_data(data, seed).to(device)``, one copy per process and device; read-only by convention.

    Args:
        data: "twin-tiny", "twin-small", "twin-full", one of these with the ending of a variant such as
            "twin-small-context", or the path of a store file.
        device: a torch device such as "cpu" or "cuda:0".
        seed: seed of a twin; ignored for a file.

    Raises:
        InputError: neither a twin's name nor a usable store file.
    """
    key = (_key(data, seed), device)
    if key not in _tensors:
        _tensors[key] = open_data(data, seed).to(device)
    return _tensors[key]


def clear_cache() -> None:
    """Forget all data sets, so that their memory can be freed."""
    _stores.clear()
    _tensors.clear()


def _memory_map() -> bool:
    """Return whether store files are to be mapped."""
    value = os.environ.get(MEMORY_MAP_VARIABLE, "0")
    if value not in ("0", "1"):
        raise InputError(f"environment variable {MEMORY_MAP_VARIABLE} is {value!r}: expected 0 or 1")
    return value == "1"


def _key(data: str | os.PathLike[str], seed: int) -> _Key:
    """Return what identifies a data set's content: a twin and its seed, or a file, its age and its size.

    A folder of shards is as old and as large as its index, which is written after all shards.
    """
    try:
        name = os.fsdecode(data)
    except TypeError as error:
        raise InputError(
            f"data is {data!r}; expected {KNOWN_TWINS}, or the path of a store file, as a text or a Path"
        ) from error
    if not name:
        raise InputError(f"data is an empty text; expected {KNOWN_TWINS}, or the path of a store file")
    if name in TWIN_NAMES:
        return name, seed, 0
    try:
        index = Path(name) / INDEX_FILE
        status = (index if index.exists() else Path(name)).stat()
    except (OSError, ValueError) as error:  # a character that no path has
        if name.startswith("twin"):
            raise InputError(f"data {name!r}: unknown twin; expected one of {KNOWN_TWINS}") from error
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"data {name!r}: {reason}; expected {KNOWN_TWINS}, or the path of a store file; "
            "make one with 'rlld data twin' or 'rlld data import'"
        ) from error
    return str(Path(name).resolve()), status.st_mtime_ns, status.st_size
