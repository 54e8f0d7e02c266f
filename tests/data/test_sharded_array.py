"""Rows in several arrays, against one array of all of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_gym.data.sharded_array import ShardedArray
from rlld_gym.data.sharded_tensor import ShardedTensor


@st.composite
def parts_and_rows(draw: st.DrawFn) -> tuple[list[np.ndarray], list[int]]:
    """Return arrays of random lengths, some of them 0, and rows of all of them together."""
    lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=6))
    total = sum(lengths)
    values = np.arange(total * 6, dtype=draw(st.sampled_from([np.float16, np.float32]))).reshape(total, 2, 3)
    rows = draw(st.lists(st.integers(-total, total - 1), max_size=12)) if total else []
    return np.split(values, np.cumsum(lengths)[:-1]), rows


@settings(deadline=None)
@given(parts_and_rows(), st.data())
def test_array_is_as_its_parts_joined(case: tuple[list[np.ndarray], list[int]], data: st.DataObject) -> None:
    parts, rows = case
    expected, found = np.concatenate(parts), ShardedArray(parts)
    assert (found.shape, found.dtype, found.nbytes) == (expected.shape, expected.dtype, expected.nbytes)
    np.testing.assert_array_equal(np.asarray(found), expected)
    np.testing.assert_array_equal(found[rows], expected[np.array(rows, int)])
    cut = data.draw(st.slices(len(expected)))
    np.testing.assert_array_equal(np.asarray(found[cut]), expected[cut])
    again = [row for row in rows if 0 <= row < len(expected[cut])] if cut.step in (None, 1) else []
    np.testing.assert_array_equal(found[cut][again], expected[cut][again])
    mask = data.draw(st.lists(st.booleans(), min_size=len(expected), max_size=len(expected)))
    np.testing.assert_array_equal(found[np.array(mask, bool)], expected[np.array(mask, bool)])


@settings(deadline=None)
@given(parts_and_rows(), st.data())
def test_tensor_selects_as_torch_does(case: tuple[list[np.ndarray], list[int]], data: st.DataObject) -> None:
    parts, rows = case
    expected, found = torch.from_numpy(np.concatenate(parts)), ShardedTensor(ShardedArray(parts), "cpu")
    index = torch.tensor([row % max(1, len(expected)) for row in rows], dtype=torch.int64)
    assert (found.shape, found.dtype, found.device) == (expected.shape, expected.dtype, expected.device)
    torch.testing.assert_close(found.index_select(0, index), expected.index_select(0, index), rtol=0, atol=0)
    chosen = found.rows(index)
    assert len(chosen) == len(index)
    if len(index):
        some = torch.tensor(data.draw(st.lists(st.integers(0, len(index) - 1))), dtype=torch.int64)
        torch.testing.assert_close(chosen.index_select(0, some), expected[index[some]], rtol=0, atol=0)
    torch.testing.assert_close(found[:0].index_select(0, index[:0]), expected[:0], rtol=0, atol=0)


def test_what_comes_out_is_new_and_what_lies_beside_is_not_touched() -> None:
    parts = [np.zeros((2, 3), np.float32), np.zeros((1, 3), np.float32)]
    array = ShardedArray(parts)
    array[[0, 2]][...] = 1
    array[1][...] = 1
    ShardedTensor(array, "cpu").index_select(0, torch.tensor([2])).fill_(1)
    assert not np.concatenate(parts).any()
    parts[1][0] = 7
    assert array[1:][1].tolist() == [7, 7, 7], "a slice is a view"


@pytest.mark.parametrize("row", [3, -4])
def test_rows_that_there_are_not(row: int) -> None:
    array = ShardedArray([np.zeros((2, 1)), np.zeros((1, 1))])
    with pytest.raises(IndexError, match=f"row {row}: there are 3"):
        array.take([0, row])
    with pytest.raises(IndexError, match="row -1: there are 3"):
        ShardedTensor(array, "cpu").index_select(0, torch.tensor([-1]))
    with pytest.raises(IndexError, match="axis 1"):
        ShardedTensor(array, "cpu").index_select(1, torch.tensor([0]))
    with pytest.raises(IndexError, match="a mask of 2 rows: expected 3"):
        array.take(np.array([True, False]))
    with pytest.raises(IndexError, match="expected a row of integers"):
        array.take(np.array([0.5]))


def test_parts_of_other_kinds() -> None:
    with pytest.raises(ValueError, match="expected one of each"):
        ShardedArray([np.zeros((2, 1)), np.zeros((1, 2))])
