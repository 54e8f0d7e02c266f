from collections.abc import Iterator
from pathlib import Path

import pytest

from rlld_gym.data.catalog import clear_cache, open_data, shared_tensors
from rlld_gym.errors import InputError
from tests.data.stores import small_store


@pytest.fixture(autouse=True)
def _fresh_cache() -> Iterator[None]:
    clear_cache()
    yield
    clear_cache()


def test_twin_is_made_once_per_seed() -> None:
    store = open_data("twin-tiny")
    assert store.name == "twin-tiny"
    assert open_data("twin-tiny") is store
    assert open_data("twin-tiny", seed=1) is not store
    assert shared_tensors("twin-tiny", "cpu") is shared_tensors("twin-tiny", "cpu")


def test_file_is_opened_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.h5"
    small_store().save(path)
    store = open_data(path)
    monkeypatch.chdir(tmp_path)
    assert open_data("store.h5") is store
    assert open_data("store.h5", seed=3) is store
    tensors = shared_tensors("store.h5", "cpu")
    assert shared_tensors(path, "cpu", seed=3) is tensors
    small_store("float32").save(path)
    assert open_data(path).header.dtype == "float32"
    assert shared_tensors(path, "cpu") is not tensors


def test_unknown_data() -> None:
    with pytest.raises(InputError, match="'twin-huge': unknown twin; expected one of twin-tiny, twin-small"):
        open_data("twin-huge")
    with pytest.raises(
        InputError, match=r"'nowhere/llp\.h5': No such file.*twin-full, .*-context, .*or the path"
    ):
        open_data("nowhere/llp.h5")
