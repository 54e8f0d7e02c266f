"""Weights with what is known about them, in one safetensors file: networks and policies are stored so."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path


@dataclass(frozen=True)
class TensorFormat:
    """A kind of file.

    Attributes:
        name: what files of the kind say that they are.
        version: of what they hold; files of another one are refused.
        noun: what messages call their content.
        file_name: what such a file is called in a run folder.
    """

    name: str
    version: int
    noun: str
    file_name: str

    def write(
        self, path: str | os.PathLike[str], tensors: Mapping[str, Tensor], about: Mapping[str, Any]
    ) -> None:
        """Write a file, atomically.

        Args:
            path: the file.
            tensors: a state dict, on any device.
            about: kept in the file's metadata: strings as they are, all else as JSON.
        """
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}
        metadata = {"format": self.name, "version": str(self.version), **texts}
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        with atomic_path(path) as temporary:
            save_file(state, temporary, metadata)

    def read_about(self, path: str | os.PathLike[str]) -> dict[str, str]:
        """Return a file's metadata, without reading the weights.

        Raises:
            InputError: the file is missing, damaged, of a newer version, or of another kind.
        """
        metadata = read_metadata(path, self.file_name)
        if metadata.get("format") != self.name:
            raise InputError(
                f"{path}: a safetensors file, but not a {self.noun}; expected a {self.file_name} that rlld train "
                "wrote"
            )
        if metadata.get("version") != str(self.version):
            raise InputError(
                f"{path}: {self.noun} format version {metadata.get('version')}, this program reads {self.version}; "
                "upgrade"
            )
        return metadata

    def read_tensors(self, path: str | os.PathLike[str]) -> dict[str, Tensor]:
        """Return a file's weights, on the CPU.

        Raises:
            InputError: the file is damaged.
        """
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        except (SafetensorError, OSError) as error:
            raise _unreadable(path, error) from error

    def disagreement(self, path: str | os.PathLike[str], error: Exception) -> InputError:
        """Return what to raise where a file's weights do not fit what it says about them."""
        detail = " ".join(str(error).split())[:200]
        return InputError(
            f"{path}: weights and sizes of the {self.noun} do not agree ({detail}); the file is damaged"
        )


def read_metadata(path: str | os.PathLike[str], expected: str = "file") -> dict[str, str]:
    """Return a safetensors file's metadata.

    Args:
        path: the file.
        expected: what should be there, for the message.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; expected a {expected} that rlld train wrote")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | os.PathLike[str], error: Exception) -> InputError:
    return InputError(f"{path}: not a readable safetensors file ({error}); it may be truncated")
