"""Stores mapped into memory: the same content, shared pages, and no way to touch a page that is not there."""

import pickle
import re
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from rlld_gym.data.catalog import clear_cache, open_data
from rlld_gym.data.classes import SPLITS
from rlld_gym.data.split import Split
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.memory_map import map_datasets
from rlld_gym.errors import InputError
from tests.data.stores import small_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    small_store().save(tmp_path / "store.h5")
    return tmp_path / "store.h5"


def is_mapped(path: Path) -> bool:
    return str(path) in Path("/proc/self/maps").read_text(encoding="utf-8")


def assert_equal(found: FeatureStore, expected: FeatureStore) -> None:
    assert found.header == expected.header
    for name in SPLITS:
        for field in fields(Split):
            one, other = (getattr(store.split(name), field.name) for store in (found, expected))
            np.testing.assert_array_equal(one, other, err_msg=f"{name} {field.name}")
            assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_mapped_store_has_the_same_content(tmp_path: Path, dtype: str) -> None:
    small_store(dtype).save(tmp_path / "store.h5")
    mapped = FeatureStore.open(tmp_path / "store.h5", memory_map=True)
    assert_equal(mapped, FeatureStore.open(tmp_path / "store.h5"))
    assert is_mapped(tmp_path / "store.h5")
    assert_equal(pickle.loads(pickle.dumps(mapped)), mapped)


def test_read_store_is_not_mapped(path: Path) -> None:
    store = FeatureStore.open(path)
    store.split("train")
    assert not is_mapped(path)


def test_tensors_are_the_file_and_writing_to_them_is_not(path: Path) -> None:
    store = FeatureStore.open(path, memory_map=True)
    tensors = store.to("cpu")
    assert tensors["test"].visual.data_ptr() == store.split("test").visual.ctypes.data
    with h5py.File(path) as file:
        start, end = file["visual"].id.get_offset(), file["visual"].id.get_offset() + file["visual"].nbytes
    with path.open("rb+") as raw:  # HDF5 does not open a mapped file for writing
        raw.seek(end - 2)
        raw.write(np.float16(7).tobytes())
    assert tensors["test"].visual[-1, -1, -1] == 7, "a page of the file, not a copy"
    before = path.read_bytes()
    tensors["train"].visual[0, 0, 0] = 8
    assert path.read_bytes() == before
    assert np.frombuffer(before, np.float16, 1, start) != 8
    assert not store.split("test").visual.flags.writeable


def test_pickled_store_is_mapped_again_where_it_arrives(path: Path) -> None:
    content = pickle.dumps(FeatureStore.open(path, memory_map=True))
    assert len(content) < 5000
    restored = pickle.loads(content)
    assert restored.split("val").audio.shape[0] == 3
    assert is_mapped(path)


def test_mapped_file_may_be_replaced_and_deleted(path: Path) -> None:
    store = FeatureStore.open(path, memory_map=True)
    expected = FeatureStore.open(path)
    assert_equal(store, expected)
    small_store(seed=1).save(path)
    assert_equal(store, expected)
    path.unlink()
    assert_equal(store, expected)


def test_file_that_changed_between_opening_and_mapping(path: Path) -> None:
    store = FeatureStore.open(path, memory_map=True)
    small_store(seed=1).save(path)
    with pytest.raises(InputError, match="has changed since it was opened"):
        store.to("cpu")


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated_file(path: Path, share: float) -> None:
    store = FeatureStore.open(path, memory_map=True)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    for use in (lambda: store.to("cpu"), lambda: FeatureStore.open(path, memory_map=True)):
        with pytest.raises(InputError, match="truncated or damaged"):
            use()


def test_file_shortened_behind_the_back_of_hdf5(path: Path) -> None:
    with h5py.File(path) as file:
        end = file["visual"].id.get_offset() + file["visual"].nbytes
        path.open("rb+").truncate(end - 1)
        message = f"truncated: {end - 1} bytes, but dataset 'visual' ends at byte {end}; make it again"
        with pytest.raises(InputError, match=re.escape(message)):
            map_datasets(file, ("audio", "visual"))


@pytest.mark.parametrize(
    "options", [{"chunks": (2, 10, 9)}, {"compression": "gzip"}], ids=["chunked", "compressed"]
)
def test_what_is_in_pieces_is_read(path: Path, options: dict[str, object]) -> None:
    with h5py.File(path, "r+") as file:
        values = file["visual"][...]
        del file["visual"]
        file.create_dataset("visual", data=values, **options)
    mapped = FeatureStore.open(path, memory_map=True)
    assert_equal(mapped, FeatureStore.open(path))
    assert is_mapped(path), "the audio features"
    np.testing.assert_array_equal(np.concatenate([mapped.split(name).visual for name in SPLITS]), values)


def test_unaligned_features_are_read(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["first"] = np.zeros(2500, np.uint8)
        file["odd"] = np.zeros(2501, np.uint8)
        file["values"] = values
        assert file["values"].id.get_offset() % 4
    with h5py.File(tmp_path / "file.h5") as file:
        found = map_datasets(file, ("values",))["values"]
    assert found.flags.aligned
    np.testing.assert_array_equal(found, values)


def test_file_with_a_user_block(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    with h5py.File(tmp_path / "file.h5", "w", userblock_size=1024) as file:
        file["values"] = values
    with h5py.File(tmp_path / "file.h5") as file:
        np.testing.assert_array_equal(map_datasets(file, ("values",))["values"], values)


@pytest.mark.parametrize(("value", "mapped"), [("1", True), ("0", False), (None, False)])
def test_environment_variable(
    path: Path, value: str | None, mapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear_cache()
    monkeypatch.delenv("RLLD_MEMORY_MAP", raising=False)
    if value is not None:
        monkeypatch.setenv("RLLD_MEMORY_MAP", value)
    batch = open_data(path).to("cpu")["train"].batch(torch.tensor([1, 0]))
    assert is_mapped(path) == mapped
    clear_cache()
    torch.testing.assert_close(batch, FeatureStore.open(path).to("cpu")["train"].batch(torch.tensor([1, 0])))


def test_other_value_of_the_environment_variable(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLLD_MEMORY_MAP", "yes")
    with pytest.raises(InputError, match="RLLD_MEMORY_MAP is 'yes': expected 0 or 1"):
        open_data(path)
