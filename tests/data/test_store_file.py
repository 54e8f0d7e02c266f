"""Store files that cannot be used, and what is said about them; verification of the content."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from rlld_gym.data.store.check import check_store
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.layout import DATASETS
from rlld_gym.data.store.seal import dataset_checksum
from rlld_gym.errors import InputError
from tests.data.stores import small_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    small_store().save(tmp_path / "store.h5")
    return tmp_path / "store.h5"


def refresh_checksums(file: h5py.File) -> None:
    file.attrs["checksums"] = json.dumps({key: dataset_checksum(file[key]) for key in DATASETS})


def test_datasets_are_contiguous_and_uncompressed(path: Path) -> None:
    with h5py.File(path) as file:
        assert set(file) == set(DATASETS)
        for key in DATASETS:
            assert file[key].chunks is None
            assert file[key].compression is None


def test_same_store_gives_the_same_bytes(path: Path, tmp_path: Path) -> None:
    small_store().save(tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


def test_failed_save_leaves_the_old_file_and_nothing_else(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(ValueError, match="attributes cannot be written as JSON"):
        small_store(note=object()).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_attribute_too_long_for_hdf5_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'extra' is"):
        small_store(note="x" * 70_000).save(tmp_path / "long.h5")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        FeatureStore.open(tmp_path / "none.h5")
    with pytest.raises(InputError, match="a folder"):
        FeatureStore.open(tmp_path)


@pytest.mark.parametrize("content", [b"", b"filename\tevent_labels\n", bytes(5000)])
def test_file_that_is_not_hdf5(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "store.h5").write_bytes(content)
    with pytest.raises(
        InputError, match=r"store\.h5: not an HDF5 file .* expected a store file; make it again"
    ):
        FeatureStore.open(tmp_path / "store.h5")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated_file(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match="truncated or damaged") as caught:
        FeatureStore.open(path)
    assert "\n" not in str(caught.value)


def set_attribute(key: str, value: Any) -> Callable[[h5py.File], None]:
    return lambda file: file.attrs.__setitem__(key, value)


def replace_dataset(key: str, change: Callable[[np.ndarray], Any]) -> Callable[[h5py.File], None]:
    def replace(file: h5py.File) -> None:
        value = change(file[key][...])
        del file[key]
        file[key] = value

    return replace


STRUCTURE = {
    "other format": (set_attribute("format", "something else"), "format 'something else'; expected"),
    "newer version": (set_attribute("format_version", 2), "format version 2; .* upgrade rlld-gym"),
    "odd version": (set_attribute("format_version", "two"), "format version two"),
    "empty split": (set_attribute("counts", '{"train": 9, "val": 0, "test": 4}'), "split 'val' is empty"),
    "other counts": (set_attribute("counts", '{"train": 9, "val": 3, "test": 4}'), "'audio' has shape"),
    "no such split": (set_attribute("counts", '{"train": 13}'), "attributes are missing or damaged"),
    "broken JSON": (set_attribute("classes", "[1, 2"), "attributes are missing or damaged"),
    "fewer classes": (set_attribute("classes", '["Speech"]'), "'labels' has shape"),
    "2D size": (set_attribute("visual_2d_size", 10), "visual_2d_size is 10; expected 1 to 9"),
    "missing attribute": (lambda file: file.attrs.__delitem__("recipe"), "attributes are missing"),
    "missing dataset": (lambda file: file.__delitem__("visual"), "dataset 'visual' is missing"),
    "group": (lambda file: (file.__delitem__("labels"), file.create_group("labels")), "'labels' is missing"),
    "float64": (
        replace_dataset("audio", lambda a: a.astype("f8")),
        "'audio' is float64; expected float16 or",
    ),
    "two dtypes": (
        replace_dataset("visual", lambda a: a.astype("f4")),
        "'visual' is float32; expected the dtype",
    ),
    "int labels": (replace_dataset("labels", lambda a: a.astype("i8")), "'labels' is int64; expected uint8"),
    "nine segments": (replace_dataset("visual", lambda a: a[:, :9]), r"expected \(13, 10, D\)"),
    "no features": (replace_dataset("audio", lambda a: a[:, :, :0]), r"expected \(13, 10, D\)"),
    "flat": (replace_dataset("audio", lambda a: a.reshape(13, -1)), "'audio' has shape"),
    "numbered names": (replace_dataset("filenames", lambda a: np.arange(13)), "expected fixed bytes"),
}


@pytest.mark.parametrize("case", STRUCTURE)
def test_wrong_structure_is_explained(path: Path, case: str) -> None:
    change, message = STRUCTURE[case]
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(InputError, match=message) as caught:
        FeatureStore.open(path)
    assert str(path) in str(caught.value)
    assert check_store(path) == [str(caught.value)]


def test_partly_known_dense_labels(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["dense_known"][6] = 0
    with pytest.raises(InputError, match="dense labels for 2 of 3 videos of split 'val'"):
        FeatureStore.open(path).split("val")


def test_file_changed_after_opening(path: Path) -> None:
    store = FeatureStore.open(path)
    small_store(seed=1).save(path)
    with pytest.raises(InputError, match="has changed since it was opened"):
        store.split("train")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_sound_file_has_no_problems(tmp_path: Path, dtype: str) -> None:
    small_store(dtype).save(tmp_path / "store.h5")
    assert check_store(tmp_path / "store.h5") == []


def corrupt(key: str, where: Any, value: Any) -> Callable[[h5py.File], None]:
    return lambda file: file[key].__setitem__(where, value)


CONTENT = {
    "NaN": (corrupt("visual", (7, 3, 2), np.nan), "'visual': NaN or infinity in 1 videos: va_00000001"),
    "infinity": (corrupt("audio", (slice(None), 0, 0), np.inf), "in 13 videos: .* and 8 more"),
    "flag of 2": (
        corrupt("dense_audio", (7, 0, 0), 2),
        "'dense_audio': values other than 0 and 1 in 1 videos",
    ),
    "repeated name": (
        corrupt("filenames", 1, b"tr_00000000_30_40"),
        "1 times a file name that another video has: tr_00000000_30_40",
    ),
    "repeated id": (
        corrupt("filenames", 1, b"tr_00000000_50_60"),
        r"1 times a video id \(first 11 characters\) that another",
    ),
    "no label": (corrupt("labels", 2, 0), "split 'train': 1 videos without a label: tr_00000002"),
    "partly dense": (corrupt("dense_known", 6, 0), "split 'val': dense labels for 2 of 3 videos"),
    "unknown dense": (corrupt("dense_audio", (0, 0, 0), 1), "split 'train': dense labels in videos"),
    "neither track": (
        lambda file: [corrupt(key, slice(9, 13), 0)(file) for key in ("dense_audio", "dense_visual")],
        "split 'test': .* weak labels are in neither dense track",
    ),
    "absent labels": (
        corrupt("dense_audio", slice(9, 13), 1),
        "split 'test': .* are absent from the weak labels",
    ),
}


@pytest.mark.parametrize("case", CONTENT)
def test_wrong_content_is_reported(path: Path, case: str) -> None:
    change, message = CONTENT[case]
    with h5py.File(path, "r+") as file:
        change(file)
        refresh_checksums(file)
    problems = check_store(path)
    assert any(re.search(message, problem) for problem in problems), problems


@pytest.mark.parametrize("key", DATASETS)
def test_changed_content_is_found_by_its_checksum(path: Path, key: str) -> None:
    with h5py.File(path, "r+") as file:
        changed = file[key][...]
        changed.reshape(-1).view(np.uint8)[3] ^= 1
        file[key][...] = changed
    assert any(f"dataset {key!r}: the checksum differs" in problem for problem in check_store(path))
