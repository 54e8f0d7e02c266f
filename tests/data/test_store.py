import pickle
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from rlld_gym.data.classes import CLASSES, SPLITS
from rlld_gym.data.split import Split
from rlld_gym.data.store.check import check_store
from rlld_gym.data.store.feature_store import FeatureStore
from tests.data.stores import COUNTS, small_split, small_store


def assert_equal_splits(found: Split, expected: Split) -> None:
    for field in fields(Split):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(other, np.ndarray):
            assert one.dtype == other.dtype, field.name
            np.testing.assert_array_equal(one, other, err_msg=field.name)
        else:
            assert one == other, field.name


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_saved_store_opens_with_the_same_content(tmp_path: Path, dtype: str) -> None:
    store = small_store(dtype, hidden_size=32, recipe="compact", sources={"made": "here"}, note=[1, 2])
    store.save(tmp_path / "deep" / "store.h5")
    opened = FeatureStore.open(tmp_path / "deep" / "store.h5")
    assert (opened.name, opened.classes) == ("small", CLASSES)
    assert (opened.audio_size, opened.visual_2d_size, opened.visual_3d_size, opened.visual_size) == (
        4,
        6,
        3,
        9,
    )
    assert opened.attributes["hidden_size"] == 32
    assert opened.attributes["recipe"] == "compact"
    assert opened.attributes["sources"] == {"made": "here"}
    assert opened.attributes["note"] == [1, 2]
    for name in SPLITS:
        assert_equal_splits(opened.split(name), store.split(name))


def test_arrays_are_read_only_when_needed(tmp_path: Path) -> None:
    small_store().save(tmp_path / "store.h5")
    opened = FeatureStore.open(tmp_path / "store.h5")
    assert opened._splits is None
    assert not opened.split("val").audio.flags.writeable
    whole = opened.split("val").audio.base
    while whole.base is not None:
        whole = whole.base
    assert whole.shape[0] == sum(COUNTS.values()), "one array of all splits"
    restored = pickle.loads(pickle.dumps(opened))
    assert restored._splits is None
    assert_equal_splits(restored.split("test"), opened.split("test"))


def test_store_in_memory_pickles_with_its_arrays() -> None:
    store = small_store()
    assert_equal_splits(pickle.loads(pickle.dumps(store)).split("train"), store.split("train"))


def test_truth_is_weak_label_and_dense_label() -> None:
    split = small_split("val", 5, dense=True)
    truth = split.truth()
    assert truth is not None
    for track, dense in zip(truth, (split.dense_audio, split.dense_visual), strict=True):
        assert dense is not None
        for video in range(5):
            for label in range(len(CLASSES)):
                expected = split.labels[video, label] and any(dense[video, t, label] for t in range(10))
                assert track[video, label] == expected
    assert small_split("train", 5, dense=False).truth() is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"audio": np.zeros((6, 9, 4), np.float16)}, "visual has shape"),
        ({"audio": np.zeros((6, 10, 4), np.float64)}, "float64"),
        ({"audio": np.zeros((6, 10, 4), np.float32)}, "float32 but visual"),
        ({"labels": np.zeros((5, 25), bool)}, "labels has shape"),
        ({"labels": np.zeros((6, 25), np.uint8)}, "expected bool"),
        ({"dense_audio": np.zeros((6, 10, 25), bool)}, "one modality only"),
    ],
)
def test_split_refuses_arrays_that_do_not_fit(change: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(small_split("train", 6, dense=False), **change)


def test_store_refuses_splits_that_do_not_fit() -> None:
    splits = {name: small_split(name, 3, dense=True) for name in SPLITS}
    options = {"classes": CLASSES, "visual_2d_size": 6, "attributes": {}, "name": "x"}
    with pytest.raises(ValueError, match="expected exactly"):
        FeatureStore({"train": splits["train"]}, **options)
    with pytest.raises(ValueError, match="empty"):
        FeatureStore(splits | {"val": small_split("val", 0, dense=True)}, **options)
    with pytest.raises(ValueError, match="calls itself"):
        FeatureStore(splits | {"val": splits["test"]}, **options)
    with pytest.raises(ValueError, match="differ"):
        FeatureStore(splits | {"val": small_split("val", 3, dense=True, dtype="float32")}, **options)
    with pytest.raises(ValueError, match="visual_2d_size 10"):
        FeatureStore(splits, **options | {"visual_2d_size": 10})
    with pytest.raises(ValueError, match="'validation'"):
        FeatureStore(splits, **options).split("validation")


@pytest.mark.parametrize("opened", [False, True])
def test_tensors_hold_the_arrays(tmp_path: Path, opened: bool) -> None:
    store = small_store()
    if opened:
        store.save(tmp_path / "store.h5")
        store = FeatureStore.open(tmp_path / "store.h5")
    tensors = store.to("cpu")
    assert list(tensors) == list(SPLITS)
    assert tensors.device == torch.device("cpu")
    for name, split in tensors.items():
        arrays = store.split(name)
        assert len(split) == COUNTS[name]
        assert split.audio.dtype == torch.float16
        np.testing.assert_array_equal(split.audio.numpy(), arrays.audio)
        np.testing.assert_array_equal(split.visual.numpy(), arrays.visual)
        assert split.labels.dtype == torch.float32
        np.testing.assert_array_equal(split.labels.numpy() > 0, arrays.labels)
        if arrays.dense_visual is None:
            assert split.dense_visual is None
        else:
            assert split.dense_visual is not None
            np.testing.assert_array_equal(split.dense_visual.numpy(), arrays.dense_visual)


@pytest.mark.parametrize("opened", [False, True])
def test_tensors_on_the_cpu_share_memory_with_the_arrays(tmp_path: Path, opened: bool) -> None:
    store = small_store()
    if opened:
        store.save(tmp_path / "store.h5")
        store = FeatureStore.open(tmp_path / "store.h5")
    tensors = store.to("cpu")
    for name in SPLITS:
        assert tensors[name].visual.data_ptr() == store.split(name).visual.ctypes.data


def test_arrays_that_torch_cannot_share_are_copied() -> None:
    splits = {name: small_split(name, 3, dense=True) for name in SPLITS}
    splits["val"] = replace(splits["val"], visual=splits["val"].visual[::-1])
    store = FeatureStore(splits, classes=CLASSES, visual_2d_size=6, attributes={}, name="x")
    np.testing.assert_array_equal(store.to("cpu")["val"].visual.numpy(), splits["val"].visual)


def test_batch_is_float32_and_cut_into_2d_and_3d() -> None:
    store = small_store()
    audio, visual_2d, visual_3d = store.to("cpu")["val"].batch(torch.tensor([2, 0, 2]))
    arrays = store.split("val")
    assert audio.dtype == visual_2d.dtype == visual_3d.dtype == torch.float32
    np.testing.assert_array_equal(audio.numpy(), arrays.audio[[2, 0, 2]].astype("f4"))
    np.testing.assert_array_equal(visual_2d.numpy(), arrays.visual[[2, 0, 2], :, :6].astype("f4"))
    np.testing.assert_array_equal(visual_3d.numpy(), arrays.visual[[2, 0, 2], :, 6:].astype("f4"))


def test_importing_the_data_package_does_not_import_torch() -> None:
    code = "import sys, rlld_gym.data; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_teachers_are_kept_of_training_videos_only(tmp_path: Path) -> None:
    bare = small_store()
    said = np.random.default_rng(0).random((2, 6, 10, 25)).astype(np.float16)
    train = replace(bare.split("train"), teacher_audio=said[0], teacher_visual=said[1])
    splits = {"train": train, "val": bare.split("val"), "test": bare.split("test")}
    store = FeatureStore(splits, classes=bare.classes, visual_2d_size=6, attributes={}, name="taught")
    store.save(tmp_path / "x.h5")
    read = FeatureStore.open(tmp_path / "x.h5")
    assert check_store(tmp_path / "x.h5") == []
    assert read.split("val").teacher_audio is None
    heard, seen = read.to("cpu")["train"].teachers(torch.tensor([4, 1]))
    assert np.array_equal(heard, said[0][[4, 1]].astype("f4"))
    assert np.array_equal(seen, said[1][[4, 1]].astype("f4"))
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["teacher_visual"][0, 0, 0] = 2
    assert any(
        "'teacher_visual': values outside [0, 1]" in problem for problem in check_store(tmp_path / "x.h5")
    )
    with pytest.raises(ValueError, match="teacher labels of one modality only"):
        replace(train, teacher_visual=None)
