"""Whether a disk has room for a store."""

import os
import shutil
from pathlib import Path

import numpy as np

from rlld_gym.data.store.header import StoreHeader
from rlld_gym.errors import InputError


def require_space(target: Path, header: StoreHeader) -> None:
    """Raise InputError where the disk has no room for the features."""
    folder = next(parent for parent in Path(os.path.realpath(target)).parents if parent.is_dir())
    values = sum(header.counts.values()) * header.num_segments
    values *= header.audio_size + header.visual_2d_size + header.visual_3d_size
    needed, free = values * np.dtype(header.dtype).itemsize, shutil.disk_usage(folder).free
    if needed > free:
        found = f"{free / 1e9:.2f} GB free"
        raise InputError(f"{target}: {found}, but the store needs {needed / 1e9:.2f} GB; make room")
