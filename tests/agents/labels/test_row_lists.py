from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.labels.row_lists import read_row_lists, write_row_lists
from rlld_gym.data import load_annotations
from rlld_gym.errors import InputError
from tests.shared_files import shared_path

ORIGINAL = np.array([[True, True, False], [False, True, True]])


def written(folder: Path, *rows: str, header: str = "modality\tclass_index\ttrain_row") -> Path:
    path = folder / "removed.tsv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


def test_real_output_on_llp_is_imported_and_written_back(tmp_path: Path) -> None:
    path = shared_path("llp/ma_removed_run_p.csv")
    original = load_annotations(shared_path("llp")).train.labels
    assert original.shape == (10000, 25)
    audio, visual = read_row_lists(path, original)
    removed = {"visual": original & ~visual, "audio": original & ~audio}
    assert {key: int(value.sum()) for key, value in removed.items()} == {"visual": 3509, "audio": 1583}
    assert {key: int(value[:, 0].sum()) for key, value in removed.items()} == {"visual": 3172, "audio": 1263}
    assert int((removed["visual"] & removed["audio"]).sum()) == 811
    assert int((~visual.any(1)).sum()) == 232
    assert int((~audio.any(1)).sum()) == 105
    write_row_lists(tmp_path / "again.tsv", original, audio, visual)
    assert (tmp_path / "again.tsv").read_text().splitlines() == path.read_text().splitlines()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 5))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, seed: int, n: int, c: int) -> None:
    original, audio, visual = np.random.default_rng(seed).random((3, n, c)) < 0.5
    path = tmp_path_factory.mktemp("rows") / "removed.tsv"
    write_row_lists(path, original, audio & original, visual & original)
    np.testing.assert_array_equal(read_row_lists(path, original), (audio & original, visual & original))


def test_rows_in_any_order(tmp_path: Path) -> None:
    audio, visual = read_row_lists(written(tmp_path, "audio\t2\t1", "visual\t0\t0", "audio\t1\t0"), ORIGINAL)
    np.testing.assert_array_equal(ORIGINAL & ~audio, [[False, True, False], [False, False, True]])
    np.testing.assert_array_equal(ORIGINAL & ~visual, [[True, False, False], [False, False, False]])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("sound\t0\t0", "line 2: found the modality 'sound'"),
        ("audio\t3\t0", "class_index is '3', expected a number from 0 to 2"),
        ("audio\t0\t2", "train_row is '2', expected a number from 0 to 1"),
        ("audio\t-1\t0", "class_index is '-1'"),
        ("audio\t²\t0", "class_index is '²'"),
        ("audio\t0\t1", "training row 1 has no label of class 0"),
        ("audio\t0\t0\naudio\t0\t0", "line 3: this audio label is listed twice"),
        ("audio\t0", "found 2 fields, expected 3"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_row_lists(written(tmp_path, row), ORIGINAL)


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: found the columns"):
        read_row_lists(written(tmp_path, header="modality,class_index,train_row"), ORIGINAL)
    with pytest.raises(InputError, match="no such file or folder"):
        read_row_lists(tmp_path / "absent.tsv", ORIGINAL)
    (tmp_path / "pickle").write_bytes(b"\x80\x04\xff\xfe")
    with pytest.raises(InputError, match="not a text file"):
        read_row_lists(tmp_path / "pickle", ORIGINAL)


def test_only_removals_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="visual labels must be a subset"):
        write_row_lists(tmp_path / "removed.tsv", ORIGINAL, ORIGINAL, ~ORIGINAL)
