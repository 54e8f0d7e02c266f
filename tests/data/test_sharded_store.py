"""A store in several files is the store in one file, and a damaged one says which file is damaged."""

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from rlld_gym.data.catalog import open_data
from rlld_gym.data.classes import CLASSES, SPLITS
from rlld_gym.data.dense_videos import with_dense_videos
from rlld_gym.data.split import Split
from rlld_gym.data.store.check import check_store
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.shards.writing import write_shards
from rlld_gym.errors import InputError
from tests.data.stores import COUNTS, small_store


def assert_equal(found: FeatureStore, expected: FeatureStore) -> None:
    assert found.header == expected.header
    for name in SPLITS:
        for field in fields(Split):
            one, other = (getattr(store.split(name), field.name) for store in (found, expected))
            assert getattr(one, "dtype", None) == getattr(other, "dtype", None)
            if other is None or isinstance(other, str | tuple):
                assert one == other
            else:
                np.testing.assert_array_equal(np.asarray(one), other, err_msg=f"{name} {field.name}")


def with_teachers() -> FeatureStore:
    store = small_store("float32", seed=3)
    teachers = np.random.default_rng(0).random((2, COUNTS["train"], 10, len(CLASSES))).astype(np.float16)
    train = replace(store.split("train"), teacher_audio=teachers[0], teacher_visual=teachers[1])
    splits = {name: store.split(name) for name in SPLITS} | {"train": train}
    return FeatureStore(splits, classes=CLASSES, visual_2d_size=6, attributes={}, name="teachers")


@pytest.fixture
def single(tmp_path: Path) -> Path:
    """6, 3 and 4 videos."""
    small_store(seed=5).save(tmp_path / "store.h5")
    return tmp_path / "store.h5"


@pytest.fixture
def folder(single: Path) -> Path:
    """4 training videos, 2 and 2 validation videos, 1 and 3 test videos, 1 test video."""
    write_shards(FeatureStore.open(single, memory_map=True), single.parent / "shards", 4)
    return single.parent / "shards"


@pytest.mark.parametrize("videos", [1, 4, 5, 6, 13, 100])
@pytest.mark.parametrize("make", [small_store, with_teachers])
def test_sharded_is_single(tmp_path: Path, videos: int, make: Callable[[], FeatureStore]) -> None:
    make().save(tmp_path / "store.h5")
    single = FeatureStore.open(tmp_path / "store.h5")
    write_shards(single, tmp_path / "shards", videos)
    sharded = FeatureStore.open(tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("shard-*.h5"))) == -(-sum(COUNTS.values()) // videos)
    assert_equal(sharded, single)
    assert sharded.fingerprint == single.fingerprint == make().fingerprint
    assert check_store(tmp_path / "shards") == check_store(tmp_path / "store.h5")
    assert not list(tmp_path.glob("*.partial"))


def test_tensors_are_equal(folder: Path, single: Path) -> None:
    found, expected = (FeatureStore.open(path).to("cpu") for path in (folder, single))
    assert found.fingerprint == expected.fingerprint
    assert found.device == expected.device
    for name in SPLITS:
        rows = torch.tensor([1, 0, 2, 1])
        for one, other in zip(found[name].batch(rows), expected[name].batch(rows), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)
        some = found[name].rows(rows[:2])
        assert len(some) == 2
        torch.testing.assert_close(
            some.features(rows[:1]), expected[name].features(rows[1:2] * 0), rtol=0, atol=0
        )
        torch.testing.assert_close(some.labels, expected[name].labels[rows[:2]])


@pytest.mark.gpu
def test_rows_arrive_on_the_device(folder: Path, single: Path) -> None:
    found, expected = (FeatureStore.open(path).to("cuda")["train"] for path in (folder, single))
    rows = torch.tensor([5, 0, 4], device="cuda")
    assert found.audio.device == expected.audio.device == found.labels.device
    for one, other in zip(
        found.rows(rows).batch(rows.argsort()), expected.rows(rows).batch(rows.argsort()), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_one_file_again_and_cut_anew(folder: Path, single: Path, tmp_path: Path) -> None:
    FeatureStore.open(folder).save(tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == single.read_bytes()
    write_shards(FeatureStore.open(folder), tmp_path / "others", 5)
    assert_equal(FeatureStore.open(tmp_path / "others"), FeatureStore.open(single))


def test_fewer_dense_videos(folder: Path, single: Path) -> None:
    found, expected = (with_dense_videos(FeatureStore.open(path), 2, seed=1) for path in (folder, single))
    assert_equal(found, expected)
    assert found.fingerprint == expected.fingerprint


def test_features_are_mapped_and_leave_with_the_store(folder: Path) -> None:
    content = pickle.dumps(FeatureStore.open(folder))
    assert len(content) < 5000
    store = FeatureStore.open(folder)
    store.to("cpu")
    mapped = Path("/proc/self/maps").read_text(encoding="utf-8")
    assert all(str(path) in mapped for path in folder.glob("*.h5"))
    assert_equal(pickle.loads(content), store)


def test_opened_by_name_once_and_again_when_it_has_changed(folder: Path, single: Path) -> None:
    first = open_data(folder)
    assert open_data(str(folder)) is first
    expected = FeatureStore.open(single)
    shutil.rmtree(folder)
    write_shards(small_store(seed=6), folder, 5)
    assert_equal(open_data(folder), FeatureStore.open(folder))
    assert open_data(folder).fingerprint != expected.fingerprint
    with pytest.raises(InputError, match="has changed since it was opened"):
        first.split("train")


def edited(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the index as somebody would who deletes its checksum, too."""
    path = folder / "index.json"
    values = json.loads(path.read_text())
    del values["checksum"]
    change(values)
    path.write_text(json.dumps(values))


def flip(path: Path, key: str) -> None:
    """Change one byte of a dataset, beside HDF5."""
    with h5py.File(path) as file:
        place = file[key].id.get_offset() + file[key].nbytes // 2
    with path.open("r+b") as raw:
        raw.seek(place)
        byte = raw.read(1)
        raw.seek(place)
        raw.write(bytes([byte[0] ^ 1]))


def other_shard(folder: Path) -> None:
    """Put a shard of another store of the same sizes into the place of one."""
    write_shards(small_store(seed=9), folder.parent / "other", 4)
    shutil.copy(folder.parent / "other" / "shard-00001.h5", folder / "shard-00001.h5")


def move_video(values: dict[str, list[dict[str, dict[str, int]]]]) -> None:
    """Say that one shard has a training video more, and another one less."""
    values["shards"][0]["videos"]["train"], values["shards"][1]["videos"]["train"] = 5, 1


def exchange(values: dict[str, list[object]]) -> None:
    """Exchange two shards of one split."""
    values["shards"][0], values["shards"][1] = values["shards"][1], values["shards"][0]


FOUND_WHEN_OPENED: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (
        lambda folder: (folder / "shard-00002.h5").unlink(),
        "shard shard-00002.h5: is missing; put back",
    ),
    "shortened": (
        lambda folder: os.truncate(folder / "shard-00003.h5", 3000),
        "shard-00003.h5 (3000 bytes, exp",
    ),
    "of another store": (other_shard, "shard shard-00001.h5"),
    "no index": (lambda folder: (folder / "index.json").unlink(), "a folder without index.json; expected"),
    "index changed": (
        lambda folder: (folder / "index.json").write_text(
            (folder / "index.json").read_text().replace("Speech", "speech")
        ),
        "was changed after it was written",
    ),
    "index cut": (lambda folder: os.truncate(folder / "index.json", 700), "not JSON"),
    "entry missing": (lambda folder: edited(folder, lambda v: v["shards"][1].pop("end")), "damaged ('end')"),
    "counts": (
        lambda folder: edited(folder, lambda v: v["shards"].pop(0)),
        "the shards have 2 videos of split 'train', the store 6",
    ),
    "twice": (lambda folder: edited(folder, lambda v: v["shards"][2].update(v["shards"][3])), "the shards"),
    "elsewhere": (
        lambda folder: edited(folder, lambda v: v["shards"][0].update(file="../shards/shard-00000.h5")),
        "a shard called '../shards/shard-00000.h5'",
    ),
    "newer": (
        lambda folder: edited(folder, lambda v: v.update(format_version=2)),
        "version 2; expected 1; upgr",
    ),
}  # type: ignore[index]


@pytest.mark.parametrize("kind", FOUND_WHEN_OPENED)
def test_damage_that_opening_finds(folder: Path, kind: str) -> None:
    damage, message = FOUND_WHEN_OPENED[kind]
    damage(folder)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        FeatureStore.open(folder)
    assert check_store(folder) == [str(caught.value)]


FOUND_WHEN_READ: dict[str, tuple[Callable[[Path], object], str]] = {
    "labels": (lambda folder: flip(folder / "shard-00002.h5", "labels"), "shard-00002.h5"),
    "features": (
        lambda folder: flip(folder / "shard-00001.h5", "visual"),
        "shard-00001.h5: dataset 'visual' was",
    ),
    "counts": (
        lambda folder: edited(folder, move_video),
        "shard-00000.h5 has 4/0/0 videos, the index says 5/0/0",
    ),
    "classes": (
        lambda folder: edited(folder, lambda v: v["store"]["classes"].reverse()),
        "shard-00000.h5 is of another store: classes",
    ),
    "checksum": (
        lambda folder: edited(folder, lambda v: v["shards"][3].update(checksum="0" * 16)),
        "shard-00003.h5 is of another store",
    ),
}  # type: ignore[index]


@pytest.mark.parametrize("kind", FOUND_WHEN_READ)
def test_damage_that_reading_finds(folder: Path, kind: str) -> None:
    damage, message = FOUND_WHEN_READ[kind]
    damage(folder)
    with pytest.raises(InputError, match=re.escape(message)):
        FeatureStore.open(folder).to("cpu")
    shard = re.search(r"shard-\d+\.h5", message)
    assert shard is not None
    problems = check_store(folder)
    assert any(shard[0] in problem for problem in problems), problems


def exchanged(folder: Path) -> None:
    """Write two shards whose places in the index are exchanged."""
    write_shards(small_store(), folder, 3)
    edited(folder, exchange)


def with_a_video_twice(folder: Path) -> None:
    """Write a video into two shards."""
    store = small_store()
    names = ("tr_00000000_30_40", *(f"tr_0000000{i}_30_40" for i in range(1, 5)), "tr_00000000_30_40")
    splits = {name: store.split(name) for name in SPLITS}
    splits["train"] = replace(splits["train"], filenames=names)
    twice = FeatureStore(splits, classes=CLASSES, visual_2d_size=6, attributes={}, name="twice")
    write_shards(twice, folder, 3)


@pytest.mark.parametrize(
    ("damaged", "message", "problem"),
    [
        (exchanged, "their order, were changed", "their order, were changed"),
        (
            with_a_video_twice,
            "videos 0 and 5 have the same name 'tr_00000000_30_40'",
            "a file name that another video has: tr_00000000_30_40",
        ),
    ],
)
def test_shards_that_are_whole_and_do_not_go_together(
    tmp_path: Path, damaged: Callable[[Path], None], message: str, problem: str
) -> None:
    damaged(tmp_path / "shards")
    with pytest.raises(InputError, match=message):
        FeatureStore.open(tmp_path / "shards").split("val")
    assert any(problem in found for found in check_store(tmp_path / "shards"))


def test_one_shard_is_no_store(folder: Path) -> None:
    with pytest.raises(InputError, match=f"one shard of a store; name its folder, {re.escape(str(folder))}"):
        FeatureStore.open(folder / "shard-00001.h5")


def test_damaged_source_is_not_converted(single: Path) -> None:
    flip(single, "audio")
    with pytest.raises(InputError, match="dataset 'audio' was changed after the file was written"):
        write_shards(FeatureStore.open(single, memory_map=True), single.parent / "shards", 4)
    assert sorted(path.name for path in single.parent.iterdir()) == ["store.h5"]


@pytest.mark.parametrize("videos", [0, 100_001])
def test_impossible_number_of_videos(tmp_path: Path, videos: int) -> None:
    with pytest.raises(InputError, match=f"found {videos}, expected 1 to 100000"):
        write_shards(small_store(), tmp_path / "shards", videos)


def test_nothing_is_overwritten(folder: Path) -> None:
    before = (folder / "index.json").read_bytes()
    with pytest.raises(InputError, match="is there already; name a new folder"):
        write_shards(small_store(seed=8), folder)
    assert (folder / "index.json").read_bytes() == before
