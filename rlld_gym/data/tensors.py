"""A feature store as tensors on one device."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.data.sharded_array import ShardedArray
from rlld_gym.data.sharded_tensor import ShardedTensor
from rlld_gym.data.split import TEACHERS, Features, Split
from rlld_gym.profiling import timed_part


@dataclass(frozen=True, eq=False)
class SplitTensors:
    """The videos of one split as tensors on one device, read-only by convention.

    Attributes:
        audio: (N, T, Da) in the store's dtype, float16 or float32; of a store in several files a
            ``ShardedTensor``, whose rows stay on the CPU until they are asked for.
        visual: (N, T, D2 + D3) in the same dtype, the 2D features first.
        labels: (N, C) float32, the weak labels as 0 and 1.
        dense_audio: (N, T, C) bool, what is heard in which segment; None where unknown.
        dense_visual: (N, T, C) bool, what is seen; None where unknown.
        visual_2d_size: D2.
        teacher_audio: (N, T, C) float16 in [0, 1], how surely a teacher hears an event; None: no teacher.
        teacher_visual: (N, T, C) float16 in [0, 1], likewise sees.
    """

    audio: Tensor | ShardedTensor
    visual: Tensor | ShardedTensor
    labels: Tensor
    dense_audio: Tensor | None
    dense_visual: Tensor | None
    visual_2d_size: int
    teacher_audio: Tensor | None = None
    teacher_visual: Tensor | None = None

    def __len__(self) -> int:
        return self.labels.shape[0]

    def rows(self, indices: Tensor) -> "SplitTensors":
        """Return some of the videos, (B,) int64 rows of this split on its device, as a split of their own."""
        tensors: dict[str, Any] = {
            name: value.rows(indices) if isinstance(value, ShardedTensor) else value.index_select(0, indices)
            for name, value in vars(self).items()
            if isinstance(value, Tensor | ShardedTensor)
        }
        return replace(self, **tensors)

    def without_dense(self) -> "SplitTensors":
        """Return the videos without their dense labels."""
        return replace(self, dense_audio=None, dense_visual=None)

    def teachers(self, indices: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return what segment-level teachers say of some videos.

        Args:
            indices: (B,) int64, rows of this split, on the same device.

        Returns:
            What is heard and what is seen, (B, T, C) float32 in [0, 1] each; None where there are no teachers.
        """
        if self.teacher_audio is None or self.teacher_visual is None:
            return None
        heard, seen = self.teacher_audio, self.teacher_visual
        return heard.index_select(0, indices).float(), seen.index_select(0, indices).float()

    def features(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of some videos.

        Args:
            indices: (B,) int64, rows of this split, on the same device.

        Returns:
            Audio (B, T, Da) and visual features (B, T, D2 + D3), the 2D features first, both float32.
        """
        return self.audio.index_select(0, indices).float(), self.visual.index_select(0, indices).float()

    @timed_part("data")
    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of some videos, as task networks take them.

        Args:
            indices: (B,) int64, rows of this split, on the same device.

        Returns:
            Audio (B, T, Da), visual 2D (B, T, D2) and visual 3D features (B, T, D3), all float32. The last
            two are views of one tensor; D3 may be 0.
        """
        audio, visual = self.features(indices)
        return audio, visual[..., : self.visual_2d_size], visual[..., self.visual_2d_size :]


OPTIONAL: Final = ("dense_audio", "dense_visual", *TEACHERS)
"""What some splits have."""


class StoreTensors(Mapping[str, SplitTensors]):
    """The splits "train", "val" and "test" of a store on one device.

    Attributes:
        device: where the tensors are.
    """

    def __init__(
        self, splits: Mapping[str, SplitTensors], fingerprint: Callable[[], DataFingerprint] | None = None
    ) -> None:
        self._splits = dict(splits)
        self._fingerprint = fingerprint
        self.device = self._splits["train"].audio.device

    @property
    def fingerprint(self) -> DataFingerprint | None:
        """What identifies the data set; None where they were not made of one."""
        return None if self._fingerprint is None else self._fingerprint()

    def __getitem__(self, name: str) -> SplitTensors:
        return self._splits[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._splits)

    def __len__(self) -> int:
        return len(self._splits)


def store_tensors(
    splits: Mapping[str, Split],
    visual_2d_size: int,
    device: str | torch.device,
    fingerprint: Callable[[], DataFingerprint] | None = None,
) -> StoreTensors:
    """Move a store's arrays to ``device``; on the CPU the tensors share their memory.

    Features in several files stay where they are.
    """
    return StoreTensors(
        {
            name: SplitTensors(
                audio=_features(split.audio, device),
                visual=_features(split.visual, device),
                labels=_move(split.labels, device).float(),
                visual_2d_size=visual_2d_size,
                **{name: _known(getattr(split, name), device) for name in OPTIONAL},
            )
            for name, split in ((name, splits[name]) for name in SPLITS if name in splits)
        },
        fingerprint,
    )


def _features(array: Features, device: str | torch.device) -> Tensor | ShardedTensor:
    return ShardedTensor(array, device) if isinstance(array, ShardedArray) else _move(array, device)


def _known(array: NDArray[Any] | None, device: str | torch.device) -> Tensor | None:
    return None if array is None else _move(array, device)


def _move(array: NDArray[Any], device: str | torch.device) -> Tensor:
    with warnings.catch_warnings():
        # The store's arrays are read-only on purpose, and torch has no read-only tensors.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)
