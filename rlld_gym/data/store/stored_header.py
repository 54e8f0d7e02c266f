"""What an open store file says of itself, checked before anything is read from it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.names import class_name_problem
from rlld_gym.data.split import FEATURE_DTYPES, TEACHER_DTYPE, TEACHERS
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.store.layout import FORMAT, SHARD_FORMAT
from rlld_gym.data.store.opening import REMAKE
from rlld_gym.data.store.seal import check_seal
from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat


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
