"""A feature store as tensors on one device."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.split import Split


@dataclass(frozen=True, eq=False)
class SplitTensors:
    """The videos of one split as tensors on one device; views of larger tensors, read-only by convention.

    Attributes:
        audio: (N, T, Da) in the store's dtype, float16 or float32.
        visual: (N, T, D2 + D3) in the same dtype, the 2D features first.
        labels: (N, C) float32, the weak labels as 0 and 1.
        dense_audio: (N, T, C) bool, what is heard in which segment; None where unknown.
        dense_visual: (N, T, C) bool, what is seen; None where unknown.
        visual_2d_size: D2.
    """

    audio: Tensor
    visual: Tensor
    labels: Tensor
    dense_audio: Tensor | None
    dense_visual: Tensor | None
    visual_2d_size: int

    def __len__(self) -> int:
        return self.labels.shape[0]

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of some videos.

        Args:
            indices: (B,) int64, rows of this split, on the same device.

        Returns:
            Audio (B, T, Da), visual 2D (B, T, D2) and visual 3D features (B, T, D3), all float32. The last
            two are views of one tensor; D3 may be 0.
        """
        visual = self.visual.index_select(0, indices).float()
        visual_2d, visual_3d = visual[..., : self.visual_2d_size], visual[..., self.visual_2d_size :]
        return self.audio.index_select(0, indices).float(), visual_2d, visual_3d


class StoreTensors(Mapping[str, SplitTensors]):
    """The splits "train", "val" and "test" of a store on one device.

    Attributes:
        device: where the tensors are.
    """

    def __init__(self, splits: Mapping[str, SplitTensors]) -> None:
        self._splits = dict(splits)
        self.device = self._splits["train"].audio.device

    def __getitem__(self, name: str) -> SplitTensors:
        return self._splits[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._splits)

    def __len__(self) -> int:
        return len(self._splits)


def store_tensors(
    splits: Mapping[str, Split], visual_2d_size: int, device: str | torch.device
) -> StoreTensors:
    """Move a store's arrays to ``device``, each dataset as one piece, and cut the pieces into splits."""
    names = [name for name in SPLITS if name in splits]
    columns = {
        key: _move({name: getattr(splits[name], key) for name in names}, device)
        for key in ("audio", "visual", "labels", "dense_audio", "dense_visual")
    }
    tensors = {}
    for name in names:
        audio, visual, labels = (columns[key][name] for key in ("audio", "visual", "labels"))
        tensors[name] = SplitTensors(
            audio=audio,
            visual=visual,
            labels=labels.float(),
            dense_audio=columns["dense_audio"].get(name),
            dense_visual=columns["dense_visual"].get(name),
            visual_2d_size=visual_2d_size,
        )
    return StoreTensors(tensors)


def join_rows(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return the parts one below the other: without a copy where they already lie so in memory.

    Args:
        parts: one or more arrays of equal dtype and equal shape but for the first axis.

    Returns:
        Their concatenation along the first axis, a view where the parts are consecutive rows of one array.
    """
    first = parts[0]
    owner, address = _owner(first), first.ctypes.data
    for part in parts:
        if _owner(part) is not owner or part.ctypes.data != address or not part.flags.c_contiguous:
            return np.concatenate(parts)
        address += part.nbytes
    shape = (sum(len(part) for part in parts), *first.shape[1:])
    return np.lib.stride_tricks.as_strided(first, shape=shape, strides=first.strides, writeable=False)


def _owner(array: NDArray[Any]) -> object:
    """Return the object that owns the memory of an array."""
    owner: Any = array
    while isinstance(owner, np.ndarray) and owner.base is not None:
        owner = owner.base
    return owner


def _move(parts: Mapping[str, NDArray[Any] | None], device: str | torch.device) -> dict[str, Tensor]:
    """Move the arrays that are not None to ``device`` in one transfer; return views of it by name."""
    present = {name: part for name, part in parts.items() if part is not None}
    if not present:
        return {}
    with warnings.catch_warnings():
        # The store's arrays are read-only on purpose, and torch has no read-only tensors.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        whole = torch.from_numpy(join_rows(list(present.values()))).to(device)
    pieces, start = {}, 0
    for name, part in present.items():
        pieces[name] = whole[start : start + len(part)]
        start += len(part)
    return pieces
