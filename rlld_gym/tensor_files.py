"""Weights with what is known about them, in one safetensors file: networks and policies are stored so."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.errors import InputError
from rlld_gym.file_formats import FileFormat
from rlld_gym.files import atomic_path, checksum_of
from rlld_gym.os_errors import explain, one_line, require_readable

DATA_KEY: Final = "data"
"""Entry of the metadata: what identifies the data set."""
_WEIGHTS: Final = "weights_checksum"
_ABOUT: Final = "about_checksum"
"""Entry of the metadata: of all others."""


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

    @property
    def _format(self) -> FileFormat:
        remedy = f"expected a {self.file_name} that rlld train wrote"
        return FileFormat(self.name, self.version, f"a {self.noun}", remedy)

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
        metadata = {key: str(value) for key, value in self._format.head.items()} | texts
        state = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        metadata[_WEIGHTS] = _weights_checksum(state)
        metadata[_ABOUT] = checksum_of(metadata)
        write_tensors(path, state, metadata)

    def read_about(self, path: str | os.PathLike[str]) -> dict[str, str]:
        """Return a file's metadata, without reading the weights.

        Raises:
            InputError: the file is missing, damaged, of a newer version, or of another kind.
        """
        metadata = read_metadata(path, self.file_name)
        self._format.check(metadata, path)
        if _is_sealed(metadata) and metadata.pop(_ABOUT, None) != checksum_of(metadata):
            raise _changed(path, f"what it says about the {self.noun}")
        return metadata

    def content_checksum(self, path: str | os.PathLike[str]) -> str:
        """Return what identifies the weights in a file, whatever else it says of them.

        Raises:
            InputError: as `read_about`.
        """
        stored = self.read_about(path).get(_WEIGHTS)
        return _weights_checksum(self.read_tensors(path)) if stored is None else stored

    def read_tensors(self, path: str | os.PathLike[str]) -> dict[str, Tensor]:
        """Return a file's weights, on the CPU.

        Raises:
            InputError: the file is damaged.
        """
        require_readable(path, f"a {self.noun}")
        try:
            with opened(path) as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        except (SafetensorError, OSError, ValueError) as error:
            raise _unreadable(path, error) from error
        if _is_sealed(metadata) and metadata.get(_WEIGHTS) != _weights_checksum(tensors):
            raise _changed(path, f"the weights of the {self.noun}")
        if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise InputError(
                f"{path}: weights of the {self.noun} are NaN or infinite: its training diverged; train it again, "
                "with a lower learning rate"
            )
        return tensors

    def disagreement(self, path: str | os.PathLike[str], error: Exception) -> InputError:
        """Return what to raise where a file's weights do not fit what it says about them."""
        detail = one_line(error)
        return InputError(
            f"{path}: weights and sizes of the {self.noun} do not agree ({detail}); the file is damaged"
        )


def write_tensors(
    path: str | os.PathLike[str], tensors: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file, atomically.

    Args:
        path: the file.
        tensors: contiguous, on the CPU.
        metadata: of the file.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        # Not save_file, which writes a file of its own: it would stay where the process is killed.
        temporary.write_bytes(save(tensors, metadata))


def data_of(metadata: Mapping[str, str], path: str | os.PathLike[str]) -> DataFingerprint | None:
    """Return what identifies the data that a file belongs to; None where its metadata do not say it.

    Raises:
        InputError: they say it in a way that cannot be read.
    """
    text = metadata.get(DATA_KEY)
    try:
        return None if text is None else DataFingerprint.from_dict(json.loads(text), str(path))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: what it says about its data set is not JSON; the file is damaged"
        ) from error


def read_metadata(path: str | os.PathLike[str], expected: str = "file") -> dict[str, str]:
    """Return a safetensors file's metadata.

    Args:
        path: the file.
        expected: what should be there, for the message.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    require_readable(path, f"a {expected} that rlld train wrote")
    try:
        with opened(path) as file:
            return file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def read_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights in a safetensors file that has been found readable, without reading them."""
    with opened(path) as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a safetensors file, also one whose path is no UTF-8, which the library refuses: through a link."""
    with ExitStack() as stack:
        if not _is_utf8(path):
            link = Path(stack.enter_context(TemporaryDirectory()), "linked.safetensors")
            link.symlink_to(os.path.abspath(path))
            path = link
        yield stack.enter_context(safe_open(path, framework="pt", device="cpu"))


def _is_utf8(path: str | os.PathLike[str]) -> bool:
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(path: str | os.PathLike[str], error: Exception) -> InputError:
    explained = explain(error) if isinstance(error, OSError) else None
    return InputError(
        f"{path}: {explained or f'not a readable safetensors file ({error}); it may be truncated'}"
    )


def _changed(path: str | os.PathLike[str], what: str) -> InputError:
    return InputError(
        f"{path}: {what} was changed after the file was written (its checksum differs, or is lost): the file is "
        "damaged; restore it, or train anew"
    )


def _is_sealed(metadata: Mapping[str, str]) -> bool:
    """Return whether a file has checksums, which those of old versions have not; one that was lost still counts."""
    return bool({_ABOUT, _WEIGHTS} & metadata.keys())


def _weights_checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256, in hexadecimal, of names, dtypes, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
