"""Checkpoints of a training run: one file, written atomically, read without unpickling code."""

import errno
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import atomic_path
from rlld_gym.os_errors import explain, require_readable

CHECKPOINT_NAME = "checkpoint.pt"
FORMAT = FileFormat(
    "rlld-checkpoint", 1, "a checkpoint of this program", "name a run folder that rlld train wrote"
)

_ARRAY_KEY = "__numpy_array__"


def save_checkpoint(path: str | os.PathLike[str], state: dict[str, Any]) -> None:
    """Write ``state`` to ``path`` atomically: whoever reads sees the old checkpoint or the new one, whole.

    Args:
        path: the file.
        state: nested dicts, lists and tuples of tensors, numpy arrays, numbers, booleans, strings and None.

    Raises:
        TypeError: for any other type in ``state``.
    """
    content = {**FORMAT.head, "state": _pack(state)}
    # Into an open file: of a path, the temporary name would be part of the content.
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        torch.save(content, file)


def load_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint that ``save_checkpoint`` wrote, tensors on the CPU.

    Raises:
        InputError: if the file is missing, damaged, not a checkpoint, or of a newer format version.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such checkpoint; name a run folder that has one, or train anew")
    content = load_weights(path)
    content = content if isinstance(content, dict) else {}
    FORMAT.check(content, path)
    state = _unpack(content.get("state"))
    if not isinstance(state, dict):
        raise InputError(f"{path}: holds no state of a run; the file is damaged")
    return state


def load_weights(path: Path, device: str | torch.device = "cpu") -> Any:
    """Return what torch wrote to a file, verified by the checksums of its parts, without unpickling code.

    Raises:
        InputError: the file cannot be read, or is damaged.
    """
    require_readable(path, "a checkpoint")
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()  # torch does not look at the checksums
            if damaged is not None:
                raise ValueError(f"the checksum of {damaged} differs")
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # whatever a damaged file makes the readers raise
        # A file that ends too early makes readers seek to where nothing can be: an invalid argument.
        of_the_system = isinstance(error, OSError) and error.errno != errno.EINVAL
        if of_the_system and (explained := explain(error)) is not None:
            raise InputError(f"{path}: {explained}") from error
        reason = str(error).partition("\n")[0].strip()[:100] or type(error).__name__
        raise InputError(f"{path}: not a readable checkpoint ({reason}); it may be truncated") from error


def _pack(value: Any) -> Any:
    """Replace numpy values, which the safe loader refuses, by tagged tensors and plain numbers."""
    if value is None or isinstance(value, bool | int | float | str | Tensor):
        return value.detach().cpu().clone() if isinstance(value, Tensor) else value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return {_ARRAY_KEY: torch.from_numpy(np.array(value))}
    if isinstance(value, dict):
        return {key: _pack(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        entries = [_pack(entry) for entry in value]
        return tuple(entries) if isinstance(value, tuple) else entries
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}: {value!r:.80}")


def _unpack(value: Any) -> Any:
    """Undo ``_pack``."""
    if isinstance(value, dict):
        if value.keys() == {_ARRAY_KEY}:
            return value[_ARRAY_KEY].numpy()
        return {key: _unpack(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_unpack(entry) for entry in value])
    return value
