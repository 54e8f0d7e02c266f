from pathlib import Path

import numpy as np
import pytest

from rlld_gym.data.llp.npy_layout import write_npy_layout
from rlld_gym.data.store.feature_store import FeatureStore
from tests.data.stores import small_split, small_store


def test_frames_average_to_the_stored_features(tmp_path: Path) -> None:
    store = small_store("float32")
    calls: list[tuple[int, int]] = []
    assert write_npy_layout(store, tmp_path, progress=lambda *call: calls.append(call)) == 39
    assert calls == [(number, 13) for number in range(1, 14)]
    split = store.split("val")
    for row, filename in enumerate(split.filenames):
        frames = np.load(tmp_path / "res152" / f"{filename[:11]}.npy")
        assert frames.shape == (80, 6)
        assert frames.dtype == np.float32
        groups = frames.reshape(10, 8, 6)
        assert (groups.std(axis=1) > 0).all(), "frames differ"
        np.testing.assert_allclose(groups.mean(axis=1), split.visual[row, :, :6], rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(np.load(tmp_path / "vggish" / f"{filename[:11]}.npy"), split.audio[row])
        clips = np.load(tmp_path / "r2plus1d_18" / f"{filename[:11]}.npy")
        np.testing.assert_array_equal(clips, split.visual[row, :, 6:])
    assert not list(tmp_path.rglob("*.partial"))


def test_layout_is_seeded(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_npy_layout(small_store(), tmp_path / folder, seed=seed)
    files = [next((tmp_path / folder / "res152").glob("te_00000002*")).read_bytes() for folder in "abc"]
    assert files[0] == files[1] != files[2]


def test_pooled_frames_and_no_3d_stream(tmp_path: Path) -> None:
    splits = {name: small_split(name, 2, dense=False) for name in ("train", "val", "test")}
    classes = small_store().classes
    store = FeatureStore(splits, classes=classes, visual_2d_size=9, attributes={}, name="flat")
    assert write_npy_layout(store, tmp_path, frames=10) == 12
    assert not (tmp_path / "r2plus1d_18").exists()
    pooled = np.load(tmp_path / "res152" / f"{splits['test'].filenames[1][:11]}.npy")
    np.testing.assert_array_equal(pooled, splits["test"].visual[1])


@pytest.mark.parametrize("frames", [0, 5, 79, -10])
def test_frames_must_fill_the_segments(tmp_path: Path, frames: int) -> None:
    with pytest.raises(ValueError, match=f"frames is {frames}"):
        write_npy_layout(small_store(), tmp_path, frames=frames)
