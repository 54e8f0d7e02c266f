"""One array whose rows lie in several others, one behind another, such as maps of several files."""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Rows: TypeAlias = NDArray[np.integer[Any]] | NDArray[np.bool_]


class ShardedArray:
    """Rows (N, ...) that lie in several arrays; only the rows that are asked for are ever copied.

    It is indexed along its first axis as a numpy array is: a slice of step 1 is a view, and everything else that
    comes out is a new array of its own. ``np.asarray`` copies all of it.

    Args:
        parts: one array at least, (N_k, ...) of one dtype and of one shape but for N_k, which may be 0.

    Attributes:
        shape: (N, ...), N the sum of all N_k.
        dtype: of all parts.
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        kinds = {(part.shape[1:], part.dtype) for part in parts}
        if len(kinds) != 1:
            raise ValueError(f"parts of shapes and dtypes {sorted(map(str, kinds))}: expected one of each")
        self._parts: Final = tuple(parts)
        lengths = [len(part) for part in parts]
        self._ends: Final = np.cumsum(lengths)
        self._starts: Final = self._ends - lengths
        ((rest, self.dtype),) = kinds
        self.shape: Final[tuple[int, ...]] = (int(self._ends[-1]), *rest)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def take(self, rows: Rows | Sequence[int]) -> NDArray[Any]:
        """Return some rows as a new array.

        Args:
            rows: (B,) integers from -N to N - 1, or (N,) bool.

        Returns:
            (B, ...), in the order of ``rows``.

        Raises:
            IndexError: a row that there is not.
        """
        found = self._checked(np.asarray(rows))
        taken = np.empty((len(found), *self.shape[1:]), self.dtype)
        place = np.searchsorted(self._ends, found, side="right")
        local = found - self._starts[place]
        # Row by row: a batch has hardly more rows than there are parts, and grouping costs more than it saves.
        for position, (number, row) in enumerate(zip(place.tolist(), local.tolist(), strict=True)):
            taken[position] = self._parts[number][row]
        return taken

    def _checked(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return rows as numbers from 0 to N - 1."""
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iub"):
            raise IndexError(f"rows of shape {rows.shape} and dtype {rows.dtype}: expected a row of integers")
        if rows.dtype == np.bool_:
            if len(rows) != len(self):
                raise IndexError(f"a mask of {len(rows)} rows: expected {len(self)}")
            return np.flatnonzero(rows)
        numbers = rows.astype(np.int64)
        outside = (numbers < -len(self)) | (numbers >= len(self))
        if outside.any():
            raise IndexError(f"row {numbers[outside][0]}: there are {len(self)}")
        return np.where(numbers < 0, numbers + len(self), numbers)

    def __getitem__(self, key: int | slice | Rows | Sequence[int]) -> Any:
        """Return a row, a view of rows that follow each other, or a copy of any rows."""
        if isinstance(key, tuple):
            raise IndexError(f"rows only: found {len(key)} indices; take the rows first, then index them")
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            return (
                self._between(start, max(start, stop))
                if step == 1
                else self.take(np.arange(start, stop, step))
            )
        if isinstance(key, int | np.integer):
            return self.take(np.array([key]))[0]
        return self.take(np.asarray(key))

    def _between(self, start: int, stop: int) -> "ShardedArray":
        pieces = [
            part[max(0, start - begin) : max(0, stop - begin)]
            for part, begin in zip(self._parts, self._starts.tolist(), strict=True)
        ]
        return ShardedArray([piece for piece in pieces if len(piece)] or pieces[:1])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all rows as a new array; numpy calls it."""
        if copy is False:
            raise ValueError("rows of several arrays cannot become one array without a copy")
        return np.concatenate(self._parts).astype(self.dtype if dtype is None else dtype, copy=False)

    def __repr__(self) -> str:
        return f"ShardedArray({self.shape}, {self.dtype}, {len(self._parts)} parts)"
