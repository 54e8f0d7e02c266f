"""Features that stay in several arrays on the CPU, asked for as if they were one tensor on a device."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_gym.data.sharded_array import ShardedArray


class ShardedTensor:
    """Rows (N, ...) of a ``ShardedArray``, of which those that are asked for are moved to a device.

    It has what is asked of the features of a split, under torch's names.

    Attributes:
        device: where the rows that are asked for arrive, and where indices are expected.
        dtype: of the rows.
        shape: (N, ...).
    """

    def __init__(
        self, array: ShardedArray, device: str | torch.device, rows: NDArray[np.int64] | None = None
    ) -> None:
        """Stand for all rows of an array.

        Args:
            array: the rows.
            device: a torch device such as "cpu" or "cuda".
            rows: (M,) which of them this stands for, and in which order; None: all.
        """
        self._array, self._rows = array, rows
        here = torch.from_numpy(np.empty(0, array.dtype)).to(device)
        self.device: Final = here.device
        self.dtype: Final = here.dtype
        number = len(array) if rows is None else len(rows)
        self.shape: Final = torch.Size((number, *array.shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """Return some rows as a tensor of their own.

        Args:
            dim: 0.
            index: (B,) integers from 0 to N - 1.

        Raises:
            IndexError: another axis, or a row that there is not.
        """
        if dim != 0:
            raise IndexError(f"axis {dim}: rows can be selected along axis 0 only")
        return torch.from_numpy(self._array.take(self._numbers(index))).to(self.device)

    def rows(self, index: Tensor) -> "ShardedTensor":
        """Return what stands for some rows, (B,) integers from 0 to N - 1; nothing is copied but their numbers."""
        return ShardedTensor(self._array, self.device, self._numbers(index))

    def _numbers(self, index: Tensor) -> NDArray[np.int64]:
        """Return which rows of the array are meant."""
        numbers: NDArray[np.int64] = index.detach().cpu().numpy().astype(np.int64)
        outside = (numbers < 0) | (numbers >= len(self))
        if outside.any():
            raise IndexError(f"row {numbers[outside][0]}: there are {len(self)}")
        return numbers if self._rows is None else self._rows[numbers]

    def __getitem__(self, key: slice) -> "ShardedTensor":
        """Return what stands for a slice of the rows."""
        return self.rows(torch.arange(*key.indices(len(self))))

    def __repr__(self) -> str:
        return f"ShardedTensor({tuple(self.shape)}, {self.dtype}, {self.device})"
