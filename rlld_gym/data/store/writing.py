"""Writing the HDF5 file of a feature store."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.split import TEACHER_DTYPE, TEACHERS, Split
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.layout import FEATURES, FORMAT, datasets_in, split_rows
from rlld_gym.data.store.opening import explained_writing, writable_file
from rlld_gym.data.store.seal import SEAL, dataset_checksum, is_finite, row_blocks, seal_of
from rlld_gym.data.store.structure import append_structure
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import atomic_path


def create_datasets(
    file: h5py.File,
    header: StoreHeader,
    filenames: Sequence[str],
    *,
    teachers: bool = False,
    name_bytes: int = 1,
) -> None:
    """Create all datasets of a store; filenames, of ``name_bytes`` or more, are filled in, all else is zero."""
    number, classes, segments = sum(header.counts.values()), len(header.classes), header.num_segments
    for key, size in (
        ("audio", header.audio_size),
        ("visual", header.visual_2d_size + header.visual_3d_size),
    ):
        file.create_dataset(key, shape=(number, segments, size), dtype=header.dtype)
    file.create_dataset("labels", shape=(number, classes), dtype=np.uint8)
    file.create_dataset("dense_audio", shape=(number, segments, classes), dtype=np.uint8)
    file.create_dataset("dense_visual", shape=(number, segments, classes), dtype=np.uint8)
    file.create_dataset("dense_known", shape=(number,), dtype=np.uint8)
    if teachers:
        for key in TEACHERS:
            shape = (header.counts["train"], segments, classes)
            file.create_dataset(key, shape=shape, dtype=TEACHER_DTYPE)
    encoded = [name.encode() for name in filenames]
    file.create_dataset("filenames", data=np.array(encoded, dtype=f"S{max(name_bytes, *map(len, encoded))}"))


def fill_datasets(file: h5py.File, splits: Mapping[str, Split], counts: Mapping[str, int]) -> None:
    """Write what splits hold into the datasets of a store, features at most 16 MiB at a time."""
    for name, rows in split_rows(counts).items():
        for key in (*FEATURES, "labels", "dense_audio", "dense_visual"):
            value = getattr(splits[name], key)
            if value is None:
                continue
            for block in row_blocks(file[key], rows):
                piece = np.asarray(value[block.start - rows.start : block.stop - rows.start])
                file[key][block] = piece.view(np.uint8) if piece.dtype == np.bool_ else piece
        file["dense_known"][rows] = splits[name].dense_audio is not None
    for key in TEACHERS:
        if key in file:
            file[key][...] = getattr(splits["train"], key)


def write_attributes(
    file: h5py.File,
    header: StoreHeader,
    kind: FileFormat = FORMAT,
    whole: Mapping[str, "hashlib._Hash"] | None = None,
) -> dict[str, str]:
    """Write a store's attributes, checksums of the datasets as they are now among them: the last step.

    Args:
        file: open for writing, with all its datasets.
        header: of the store, or of the shard.
        kind: which of the two it is.
        whole: of a shard, the checksums of the whole store, which get its bytes, too.

    Returns:
        The checksums of the datasets.

    Raises:
        ValueError: an attribute is not JSON-able or longer than HDF5's 64 KiB.
    """
    own = {"hidden_size", "recipe", "sources", "checksums", "finite"}
    try:
        sources = json.dumps(header.attributes["sources"], allow_nan=False)
        extra = json.dumps({k: v for k, v in header.attributes.items() if k not in own}, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"a store's attributes cannot be written as JSON: {error}") from error
    checksums = {key: dataset_checksum(file[key], (whole or {}).get(key)) for key in datasets_in(file)}
    values = {
        **kind.head,
        "name": header.name,
        "counts": json.dumps(dict(header.counts)),
        "classes": json.dumps(list(header.classes)),
        "visual_2d_size": header.visual_2d_size,
        "hidden_size": int(header.attributes["hidden_size"]),
        "recipe": str(header.attributes["recipe"]),
        "sources": sources,
        "checksums": json.dumps(checksums),
        "finite": int(all(is_finite(file[key]) for key in FEATURES)),
        "extra": extra,
    }
    values[SEAL] = seal_of(values)
    for key, value in values.items():
        if isinstance(value, str) and len(value.encode()) > 60_000:
            raise ValueError(f"attribute {key!r} is {len(value)} characters long, more than HDF5 can hold")
        file.attrs[key] = value
    return checksums


def write_store(path: str | os.PathLike[str], header: StoreHeader, splits: Mapping[str, Split]) -> None:
    """Write a store file, atomically.

    Raises:
        InputError: the file cannot be written (disk full, no permission).
    """
    filenames = [filename for name in SPLITS for filename in splits[name].filenames]
    with explained_writing(f"feature store {path}"), atomic_path(path) as temporary:
        with writable_file(temporary) as file:
            create_datasets(file, header, filenames, teachers=splits["train"].teacher_audio is not None)
            fill_datasets(file, splits, header.counts)
            write_attributes(file, header)
        append_structure(temporary, FEATURES)
