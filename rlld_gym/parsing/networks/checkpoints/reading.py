"""The content of a public checkpoint file: named tensors, read without running any code of the file."""

import os
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlld_gym.errors import InputError

Checkpoint = str | os.PathLike[str] | Mapping[str, object]
"""A file written by ``torch.save``, or its content: a state dictionary, or one that holds one under "model"."""

_LOAD_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
)


def read_entries(path_or_state_dict: Checkpoint) -> tuple[dict[str, Tensor], str]:
    """Return a checkpoint's named tensors, and what messages call it.

    Raises:
        InputError: for an unreadable file, and for content that is no state dictionary.
    """
    content: object = path_or_state_dict
    source = "public checkpoint"
    if isinstance(path_or_state_dict, (str, os.PathLike)):
        source = os.fspath(path_or_state_dict)
        content = _load_file(source)
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    return _checked_entries(content, source), source


def _load_file(path: str) -> object:
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise InputError(f"{path}: is not a readable file: expected a checkpoint written by torch.save")
    # Some files also hold numpy's random state, whose arrays torch does not unpickle unless told.
    reconstruct = np.zeros(1).__reduce__()[0]
    allowed: list[Any] = [np.ndarray, np.dtype, type(np.dtype(np.uint32))]
    allowed += [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    try:
        with torch.serialization.safe_globals(allowed):
            return torch.load(path, map_location="cpu", weights_only=True)
    except _LOAD_ERRORS as error:
        raise InputError(
            f"{path}: not a checkpoint of plain tensors: expected what torch.load(weights_only=True) reads"
        ) from error


def _checked_entries(content: object, source: str) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        kind = "nothing" if content == {} else type(content).__name__
        raise InputError(f"{source}: holds {kind}: expected a state dictionary")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(f"{source}: entry {key!r} is a {type(value).__name__}: expected named tensors")
    return dict(content)


def listed(keys: list[str]) -> str:
    """Return the first names of a list, for a message."""
    shown = ", ".join(sorted(keys)[:8])
    return shown + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
