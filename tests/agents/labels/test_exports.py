"""Label files for other code bases, read back as these read them: pandas, a plain split, pickle, numpy."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rlld_agents.labels.about import LabelOrigin
from rlld_agents.labels.exports import HAN_FILES, PICKLE_NAME, RATIOS_NAME, ROWS_NAME, write_exports
from rlld_agents.labels.files import write_labels
from rlld_agents.labels.row_lists import read_row_lists
from tests.data.stores import small_store

CLASSES = ("Speech", "Frying_(food)", "Dog")
NAMES = ("BjCEufrlXm4_20_30", "29-VHfXrz7E_30_40", "AP0061o0Nvk_101.8_111.8", "-a-nBRCk7iA_0_10")
ORIGINAL = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 1]], bool)
ORIGIN = LabelOrigin(NAMES, CLASSES, ORIGINAL)
KEPT = (
    np.array([[1, 0, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]], bool),
    np.array([[0, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1]], bool),
)


def test_a_reader_of_han_s_layout_gets_every_video_in_order(tmp_path: Path) -> None:
    write_exports(tmp_path, ORIGIN, KEPT)
    for name, labels in zip(HAN_FILES, KEPT, strict=True):
        table = pd.read_csv(tmp_path / name, header=0, sep="\t")
        assert tuple(table["filename"]) == NAMES
        for field, row in zip(table["event_labels"], labels, strict=True):
            named = [CLASSES.index(label) for label in field.split(",") if label]
            assert named == np.flatnonzero(row).tolist()


def test_the_label_file_as_parquet_keeps_every_field(tmp_path: Path) -> None:
    """As docs/data.md has it."""
    pytest.importorskip("pyarrow")
    write_labels(tmp_path / "denoised_labels.csv", NAMES, CLASSES, *KEPT)
    parquet = tmp_path / "denoised_labels.parquet"
    pd.read_csv(tmp_path / "denoised_labels.csv", keep_default_na=False).to_parquet(parquet)
    table = pd.read_parquet(parquet)
    assert tuple(table["filename"]) == NAMES
    for column, labels in zip(("audio_labels", "visual_labels"), KEPT, strict=True):
        named = [[label for label in field.split(",") if label] for field in table[column]]
        assert named == [[CLASSES[index] for index in np.flatnonzero(row)] for row in labels]


def test_ma_s_code_finds_the_rows_that_lose_a_label(tmp_path: Path) -> None:
    paths = write_exports(tmp_path, ORIGIN, KEPT, pickle_for_ma=True)
    assert {path.name for path in paths} == {*HAN_FILES, ROWS_NAME, RATIOS_NAME, PICKLE_NAME}
    need_to_change = pickle.loads((tmp_path / PICKLE_NAME).read_bytes())
    for lists, labels in zip(need_to_change, KEPT[::-1], strict=True):  # visual first
        for row, index in np.argwhere(ORIGINAL):
            assert (row in lists[index]) == (not labels[row, index])
    np.testing.assert_array_equal(read_row_lists(tmp_path / ROWS_NAME, ORIGINAL), KEPT)


def test_jomold_s_ratios_are_shares_of_each_class(tmp_path: Path) -> None:
    write_exports(tmp_path, ORIGIN, KEPT)
    with np.load(tmp_path / RATIOS_NAME, allow_pickle=False) as ratios:
        assert ratios["audio"].dtype == np.float64
        assert ratios["audio"].tolist() == pytest.approx([0, 1 / 2, 1 / 3])
        assert ratios["visual"].tolist() == pytest.approx([1 / 2, 1 / 2, 2 / 3])


def test_a_layout_without_quoting_is_left_out_for_names_with_commas(tmp_path: Path) -> None:
    origin = LabelOrigin(NAMES, ("Siren, ambulance", *CLASSES[1:]), ORIGINAL)
    paths = write_exports(tmp_path, origin, KEPT)
    assert sorted(path.name for path in paths) == [RATIOS_NAME, ROWS_NAME]


@pytest.mark.parametrize(
    ("sources", "file"),
    [
        ({"annotations": {"train.csv": "", "val.csv": ""}}, "not the 7 of train.csv"),
        ({"annotations": {"AVVP_train.csv": ""}, "limit": 7}, "not the first 7 of AVVP_train.csv"),
    ],
)
def test_row_numbers_that_are_not_those_of_the_user_s_table_are_said_to_be(
    sources: dict[str, Any], file: str, tmp_path: Path
) -> None:
    store = small_store()
    left_out = {"left_out": {"without features": {"train": 1}}}
    lacking = small_store(sources=sources | left_out)
    assert LabelOrigin.of(store).left_out is None
    kept = (store.split("train").labels,) * 2
    with pytest.warns(UserWarning, match=f"rows count the 6 videos of the store, {file}: "):
        write_exports(tmp_path, LabelOrigin.of(lacking), kept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_exports(tmp_path, LabelOrigin.of(store), kept)
