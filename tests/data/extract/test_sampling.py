"""The grid of segments, against LLP's rule written out."""

import numpy as np
import pytest

from rlld_gym.data.extract.sampling import LLP_GRID, TimeGrid
from rlld_gym.errors import InputError


@pytest.mark.parametrize("found", [76, 78, 80, 81, 84])
def test_a_video_of_about_ten_seconds_is_sampled_by_the_rule_of_llp(found: int) -> None:
    expected = [round(index * (found - 1) / 79) for index in range(80)]
    np.testing.assert_array_equal(LLP_GRID.frame_indices(found), expected)


def test_other_videos_keep_their_seconds() -> None:
    np.testing.assert_array_equal(LLP_GRID.frame_indices(40), [*range(40), *[39] * 40])
    np.testing.assert_array_equal(LLP_GRID.frame_indices(85), range(80))
    np.testing.assert_array_equal(LLP_GRID.frame_indices(1), [0] * 80)


def test_sizes() -> None:
    assert (LLP_GRID.seconds, LLP_GRID.num_frames, LLP_GRID.frames_per_segment) == (10, 80, 8)
    long = TimeGrid.of(60, 2.5, 4)
    assert (long.num_segments, long.frames_per_segment, long.num_frames) == (24, 10, 240)


def test_sound_is_cut_at_the_borders_of_segments() -> None:
    samples = np.arange(48000, dtype=np.float32)
    cut = TimeGrid(4, 0.75, 4).cut_sound(samples, 16000)
    np.testing.assert_array_equal(cut, samples.reshape(4, 12000))
    uneven = TimeGrid(3, 1 / 3, 3).cut_sound(samples, 16000)
    assert uneven.shape == (3, 5333)
    np.testing.assert_array_equal(uneven[:, 0], [0, 5333, 10667])


BAD = [(10, 3, 8), (10, 0, 8), (0, 1, 8), (-5, 1, 8), (10, 1, 0), (10, 0.3, 8), (1, 1, 2.5)]


@pytest.mark.parametrize(("seconds", "length", "rate"), BAD)
def test_what_does_not_divide_is_refused(seconds: float, length: float, rate: float) -> None:
    with pytest.raises(InputError, match="expected"):
        TimeGrid.of(seconds, length, rate)
