import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_gym.data import open_data
from rlld_gym.data.dense_videos import with_dense_videos
from rlld_gym.errors import InputError


@settings(max_examples=20, deadline=None)
@given(number=st.integers(1, 320), shift=st.sampled_from([0.0, 2.0]), seed=st.integers(0, 99))
def test_validation_videos_are_a_part_in_their_order_and_the_rest_is_untouched(number, shift, seed):
    store = open_data("twin-tiny")
    cut = with_dense_videos(store, number, shift=shift, seed=seed)
    whole, part = store.split("val"), cut.split("val")
    assert len(part) == cut.header.counts["val"] == number
    rows = [whole.filenames.index(name) for name in part.filenames]
    assert rows == sorted(set(rows))
    for key in ("audio", "visual", "labels", "dense_audio", "dense_visual"):
        np.testing.assert_array_equal(getattr(part, key), getattr(whole, key)[rows])
    for name in ("train", "test"):
        assert cut.split(name) is store.split(name)


def test_choice_depends_on_the_seed_alone():
    store = open_data("twin-tiny")
    names = [with_dense_videos(store, 50, seed=seed).split("val").filenames for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def visual_noise_rates(split):
    """Return for each class the share of its labels that is nowhere seen."""
    _, seen = split.truth()
    with np.errstate(invalid="ignore"):
        return (split.labels & ~seen).sum(axis=0) / split.labels.sum(axis=0)


def test_shift_moves_how_often_classes_are_seen():
    store = open_data("twin-tiny")
    frequent = store.split("val").labels.sum(0) >= 15

    def distance(shift: float) -> float:
        rates = [
            visual_noise_rates(with_dense_videos(store, 160, shift=shift, seed=seed).split("val"))
            for seed in range(5)
        ]
        moved = np.abs(np.array(rates) - visual_noise_rates(store.split("train")))
        return float(np.nanmean(moved[:, frequent]))

    assert distance(3.0) > 1.3 * distance(0.0)


def test_a_cut_store_goes_through_a_file(tmp_path):
    path = tmp_path / "cut.h5"
    with_dense_videos(open_data("twin-tiny"), 40, shift=1.0, seed=3).save(path)
    assert open_data(path).header.counts == {"train": 1600, "val": 40, "test": 320}
    assert open_data(path).attributes["sources"]["validation"] == {
        "dense_videos": 40,
        "shift": 1.0,
        "seed": 3,
    }


@pytest.mark.parametrize("number", [0, 321])
def test_impossible_numbers_are_named(number):
    with pytest.raises(InputError, match=f"found {number}, expected at (least 1|most 320)"):
        with_dense_videos(open_data("twin-tiny"), number)
