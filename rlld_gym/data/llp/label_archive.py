"""LSLD's archives of segment labels: npz files of pickled dictionaries of tensors, read without running their code.

An entry is an object array of shape () that holds a dictionary from video id to a tensor (10, 25), possibly of a
GPU. Only what rebuilds arrays, tensors and dictionaries is called while it is read; a file that asks for anything
else is refused.
"""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_gym.errors import InputError
from rlld_gym.os_errors import one_line

_UNREADABLE = (
    *(OSError, KeyError, ValueError, TypeError, AttributeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, pickle.UnpicklingError),
)


def read_label_archive(path: Path, key: str) -> dict[str, NDArray[Any]]:
    """Return an entry of an archive: video id -> array.

    Raises:
        InputError: the file is no such archive, lacks the entry, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"npy format {version}")
            np.lib.format.read_array_header_1_0(file)
            labels = _Reader(io.BytesIO(file.read())).load().item()
        return {str(video): np.asarray(value) for video, value in labels.items()}
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: no labels {key!r} can be read ({one_line(error)}); expected an npz "
            "archive with a dictionary of tensors under this name"
        ) from error


class _Reader(pickle.Unpickler):
    """Builds arrays, tensors and dictionaries, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what an archive may call; UnpicklingError for everything else."""
        import torch  # noqa: PLC0415 (data sets without such archives need no torch)

        place = f"{module.replace('numpy.core', 'numpy._core')}.{name}"
        allowed: dict[str, Any] = {
            "numpy._core.multiarray._reconstruct": np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
            "numpy.ndarray": np.ndarray,
            "numpy.dtype": np.dtype,
            "collections.OrderedDict": dict,
            "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
            "torch.storage._load_from_bytes": _storage,
        }
        if place not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return allowed[place]


def _storage(content: bytes) -> Any:
    """Return a tensor's storage, on the CPU wherever it was."""
    import torch  # noqa: PLC0415

    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
