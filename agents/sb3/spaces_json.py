"""Spaces as a few plain numbers: those of a batch at LLP's sizes would take 35 MB as pickled bounds."""

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Description = dict[str, Any]


def describe_space(space: spaces.Space[Any]) -> Description:
    """Return a space as dicts, lists, strings and numbers.

    Args:
        space: a Box, a flat or multi-dimensional MultiBinary, or a Dict of such.

    Raises:
        TypeError: for another space.
    """
    if isinstance(space, spaces.Dict):
        return {"kind": "Dict", "spaces": {key: describe_space(part) for key, part in space.items()}}
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "MultiBinary", "shape": list(space.shape)}
    if isinstance(space, spaces.Box):
        return {
            "kind": "Box",
            "shape": list(space.shape),
            "dtype": str(space.dtype),
            "low": _bound(space.low),
            "high": _bound(space.high),
        }
    raise TypeError(f"cannot describe {space}; expected a Dict of Box and MultiBinary spaces")


def space_from(description: Description) -> spaces.Space[Any]:
    """Return the space that `describe_space` described.

    Raises:
        KeyError, TypeError, ValueError: it is no such description.
    """
    kind = description["kind"]
    if kind == "Dict":
        return spaces.Dict({key: space_from(part) for key, part in description["spaces"].items()})
    shape = tuple(int(size) for size in description["shape"])
    if kind == "MultiBinary":
        return spaces.MultiBinary(shape[0] if len(shape) == 1 else shape)
    if kind != "Box":
        raise ValueError(f"unknown kind of space {kind!r}")
    dtype = np.dtype(description["dtype"])
    low, high = (_full(description[bound], shape, dtype) for bound in ("low", "high"))
    return spaces.Box(low, high, shape, dtype.type)


def _bound(values: NDArray[Any]) -> dict[str, list[Any]]:
    """Return an array as runs of equal numbers, of one slice where all slices of leading axes are equal."""
    while values.ndim > 1 and (values == values[:1]).all():
        values = values[0]
    flat = values.reshape(-1)
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    lengths = np.diff(np.append(starts, flat.size))
    return {"values": flat[starts].tolist(), "lengths": lengths.tolist(), "shape": list(values.shape)}


def _full(bound: dict[str, list[Any]], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    values = np.repeat(np.array(bound["values"], dtype), bound["lengths"]).reshape(bound["shape"])
    return np.broadcast_to(values, shape).copy()
