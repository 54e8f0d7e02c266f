"""The HDF5 file of a feature store: layout, writing, and reading with every structural error explained.

Datasets, contiguous and uncompressed, videos in the order train, val, test:

- ``audio`` (N, T, Da) and ``visual`` (N, T, D2 + D3), both float16 or both float32, 2D features first;
- ``labels`` (N, C), ``dense_audio`` and ``dense_visual`` (N, T, C), ``dense_known`` (N,): uint8, 0 or 1;
- ``filenames`` (N,): fixed-length bytes, UTF-8;
- where training videos have segment-level teachers, ``teacher_audio`` and ``teacher_visual`` (N_train, T, C),
  float16.

Attributes of the file: ``format``, ``format_version``, ``name``, ``counts``, ``classes``, ``visual_2d_size``,
``hidden_size``, ``recipe``, ``sources``, ``checksums`` (SHA-256 of each dataset's bytes), ``finite`` (1: no
feature is NaN or infinity), ``extra`` and ``attributes_checksum`` (of all others); older files lack some of these.
``counts``, ``classes``, ``sources``, ``checksums`` and ``extra`` are JSON.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.names import class_name_problem, video_name_problem
from rlld_gym.data.split import FEATURE_DTYPES, TEACHER_DTYPE, TEACHERS, Split
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.memory_map import map_datasets
from rlld_gym.data.store.opening import REMAKE, explained_writing, open_store_file, writable_file
from rlld_gym.data.store.seal import (
    SEAL,
    VERIFIED_BYTES,
    check_seal,
    dataset_checksum,
    is_finite,
    row_blocks,
    seal_of,
    verify_arrays,
)
from rlld_gym.data.store.structure import append_structure
from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import atomic_path

FORMAT: Final = FileFormat("rlld-feature-store", 1, "a feature store", REMAKE, version_key="format_version")
SHARD_FORMAT: Final = replace(FORMAT, name="rlld-feature-shard", what="a shard of a feature store")
"""Of a file with some of a store's videos: the same, but splits may be empty."""
FLAGS: Final = ("labels", "dense_audio", "dense_visual", "dense_known")
"""Datasets of zeros and ones."""
FEATURES: Final = ("audio", "visual")
DATASETS: Final = (*FEATURES, *FLAGS, "filenames")
"""Datasets of every store; those of teachers are in some."""


def datasets_in(file: h5py.File) -> tuple[str, ...]:
    """Return the names of the datasets of an open store file."""
    return (*DATASETS, *(key for key in TEACHERS if key in file))


def split_rows(counts: Mapping[str, int]) -> dict[str, slice]:
    """Return the rows of each split, in the order train, val, test."""
    ends = np.cumsum([counts[name] for name in SPLITS]).tolist()
    return {name: slice(end - counts[name], end) for name, end in zip(SPLITS, ends, strict=True)}


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


def header_in(file: h5py.File, kind: FileFormat = FORMAT) -> StoreHeader:
    """Check format, version, attributes and datasets of an open file, in this order; return the header."""
    where = f"feature store {file.filename}"
    if kind is FORMAT and file.attrs.get("format") == SHARD_FORMAT.name:
        raise InputError(f"{where}: one shard of a store; name its folder, {Path(file.filename).parent}")
    kind.check(file.attrs, where)
    try:
        attributes = {
            **json.loads(file.attrs["extra"]),
            "hidden_size": int(file.attrs["hidden_size"]),
            "recipe": str(file.attrs["recipe"]),
            "sources": json.loads(file.attrs["sources"]),
            "checksums": _checksums(file.attrs["checksums"]),
            **({"finite": bool(file.attrs["finite"])} if "finite" in file.attrs else {}),
        }
        classes = tuple(str(name) for name in json.loads(file.attrs["classes"]))
        stored_counts = json.loads(file.attrs["counts"])
        counts = {name: int(stored_counts[name]) for name in SPLITS}
        name, visual_2d_size = str(file.attrs["name"]), int(file.attrs["visual_2d_size"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: attributes are missing or damaged ({error}); {REMAKE}") from error
    for split, count in counts.items():
        if count < (1 if kind is FORMAT else 0):
            raise InputError(f"{where}: split {split!r} is empty; every split needs a video; {REMAKE}")
    shapes = _check_datasets(file, counts, len(classes), where)
    if not 0 < visual_2d_size <= shapes["visual"][2]:
        raise InputError(
            f"{where}: visual_2d_size is {visual_2d_size}; expected 1 to {shapes['visual'][2]}; {REMAKE}"
        )
    check_seal(file, where)
    if problem := class_name_problem(classes):
        raise InputError(f"{where}: {problem}; {REMAKE}")
    return StoreHeader(
        name=name,
        classes=classes,
        counts=counts,
        dtype=file["audio"].dtype.name,
        audio_size=shapes["audio"][2],
        visual_2d_size=visual_2d_size,
        visual_3d_size=shapes["visual"][2] - visual_2d_size,
        num_segments=shapes["audio"][1],
        attributes=attributes,
    )


def _checksums(text: str) -> dict[str, str]:
    """Return the checksums of the datasets; TypeError or ValueError where the text is no such thing."""
    return {str(key): str(value) for key, value in dict(json.loads(text)).items()}


def _check_datasets(
    file: h5py.File, counts: Mapping[str, int], classes: int, where: str
) -> dict[str, tuple[int, ...]]:
    """Check that every dataset is there with the expected dtype and shape; return the shapes."""
    any_size, number = -1, sum(counts.values())
    audio = file.get("audio")
    # The number of segments is that of the audio features; all else must agree.
    segments = audio.shape[1] if isinstance(audio, h5py.Dataset) and audio.ndim == 3 else any_size
    expected: dict[str, tuple[int, ...]] = {
        "audio": (number, segments, any_size),
        "visual": (number, segments, any_size),
        "labels": (number, classes),
        "dense_audio": (number, segments, classes),
        "dense_visual": (number, segments, classes),
        "dense_known": (number,),
        "filenames": (number,),
    }
    if any(key in file for key in TEACHERS):
        expected |= dict.fromkeys(TEACHERS, (counts["train"], segments, classes))
    shapes: dict[str, tuple[int, ...]] = {}
    for key, shape in expected.items():
        dataset = file.get(key)
        if not isinstance(dataset, h5py.Dataset):
            raise InputError(f"{where}: dataset {key!r} is missing; {REMAKE}")
        found: tuple[Any, ...] = dataset.shape
        wanted = tuple(a if b == any_size and a > 0 else b for a, b in zip(found, shape, strict=False))
        if len(found) != len(shape) or found != wanted:
            readable = str(shape).replace(str(any_size), "D")
            raise InputError(f"{where}: dataset {key!r} has shape {found}; expected {readable}; {REMAKE}")
        if not _dtype_fits(key, dataset.dtype, file):
            wish = {
                "audio": "float16 or float32",
                "visual": "the dtype of 'audio'",
                "filenames": "fixed bytes",
                **dict.fromkeys(TEACHERS, "float16"),
            }
            raise InputError(
                f"{where}: dataset {key!r} is {dataset.dtype}; expected {wish.get(key, 'uint8')}; {REMAKE}"
            )
        shapes[key] = found
    return shapes


def _dtype_fits(key: str, dtype: np.dtype[Any], file: h5py.File) -> bool:
    if key == "audio":
        return dtype in FEATURE_DTYPES
    if key == "visual":
        return bool(dtype == file["audio"].dtype)
    if key in TEACHERS:
        return bool(dtype == TEACHER_DTYPE)
    return dtype.kind == "S" if key == "filenames" else dtype == np.uint8
