"""Reading the HDF5 file of a feature store, with every error explained."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from rlld_gym.data.names import video_name_problem
from rlld_gym.data.split import TEACHERS, Split
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.layout import FEATURES, FLAGS, datasets_in, split_rows
from rlld_gym.data.store.memory_map import map_datasets
from rlld_gym.data.store.opening import REMAKE, open_store_file
from rlld_gym.data.store.seal import VERIFIED_BYTES, verify_arrays
from rlld_gym.data.store.stored_header import header_in
from rlld_gym.errors import InputError


def read_header(path: str | os.PathLike[str]) -> StoreHeader:
    """Check the structure of a store file and return its header; the arrays are not read.

    Raises:
        InputError: the file is missing, not HDF5, truncated, of another format or a newer version, or its
            datasets have unexpected dtypes or shapes, or a split is empty.
    """
    with open_store_file(Path(path)) as file:
        return header_in(file)


def read_splits(path: Path, header: StoreHeader, *, memory_map: bool = False) -> dict[str, Split]:
    """Read all arrays, each dataset at once, and cut them into splits, which are views of the whole arrays.

    Args:
        path: the store file.
        header: what ``read_header`` found in it.
        memory_map: map the features instead of reading them (see ``map_datasets``).

    Raises:
        InputError: the file cannot be read, has changed since ``header`` was read, or holds dense labels for
            only some videos of a split.
    """
    with open_store_file(path) as file:
        if header_in(file) != header:
            raise InputError(f"feature store {path}: the file has changed since it was opened; open it again")
        arrays = map_datasets(file, FEATURES) if memory_map else {key: file[key][...] for key in FEATURES}
        others = [key for key in datasets_in(file) if key not in FEATURES]
        arrays |= {key: file[key][...] for key in others}
    splits = cut_splits(path, header, arrays)
    small = sum(arrays[key].nbytes for key in FEATURES) <= VERIFIED_BYTES
    verify_arrays(path, header, arrays, (*FEATURES, *others) if small and not memory_map else others)
    # Of a larger file its maker has said it; what was changed since, 'rlld data check' finds.
    trusted = not small and header.attributes.get("finite", memory_map)
    if not trusted and not all(np.isfinite(arrays[key]).all() for key in FEATURES):
        raise InputError(
            f"feature store {path}: features hold NaN or infinity; 'rlld data check {path}' lists the videos; "
            "compute their features again"
        )
    return splits


def read_labels(path: Path, header: StoreHeader) -> dict[str, Split]:
    """Read all but features and teachers: splits whose features have size 0.

    Raises:
        InputError: as ``read_splits``.
    """
    with open_store_file(path) as file:
        arrays = {key: file[key][...] for key in (*FLAGS, "filenames")}
        for key in ("audio", "visual"):
            arrays[key] = np.empty((*file[key].shape[:2], 0), file[key].dtype)
    splits = cut_splits(path, header, arrays)
    verify_arrays(path, header, arrays, (*FLAGS, "filenames"))
    return splits


def cut_splits(path: Path, header: StoreHeader, arrays: dict[str, Any]) -> dict[str, Split]:
    """Cut whole arrays, as they are in the file, into splits, which are views; InputError where they cannot be."""
    arrays = arrays | {key: arrays[key] != 0 for key in FLAGS}
    try:
        filenames = [filename.decode() for filename in arrays["filenames"].tolist()]
    except UnicodeDecodeError as error:
        raise InputError(f"feature store {path}: names of videos are no UTF-8 ({error}); {REMAKE}") from error
    if problem := video_name_problem(filenames):
        raise InputError(f"feature store {path}: {problem}; {REMAKE}")
    splits = {}
    for name, rows in split_rows(header.counts).items():
        known = arrays["dense_known"][rows]
        if known.any() and not known.all():
            found = f"dense labels for {int(known.sum())} of {known.size} videos of split {name!r}"
            raise InputError(f"feature store {path}: {found}; expected all or none; {REMAKE}")
        splits[name] = Split(
            name=name,
            filenames=tuple(filenames[rows]),
            audio=arrays["audio"][rows],
            visual=arrays["visual"][rows],
            labels=arrays["labels"][rows],
            dense_audio=arrays["dense_audio"][rows] if known.all() else None,
            dense_visual=arrays["dense_visual"][rows] if known.all() else None,
            **{key: arrays[key] for key in TEACHERS if key in arrays and name == "train"},
        )
    return splits
