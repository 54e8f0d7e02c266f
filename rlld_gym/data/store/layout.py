"""What the HDF5 file of a feature store looks like; `writing` makes it and `reading` reads it.

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

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import h5py
import numpy as np

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.split import TEACHERS
from rlld_gym.data.store.opening import REMAKE
from rlld_gym.file_formats import FileFormat

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
