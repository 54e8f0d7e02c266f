import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlld_gym.denoising.sampler import OverlapSampler


@st.composite
def samplers(draw):
    batch_size = draw(st.integers(1, 12))
    num_carried = draw(st.integers(0, batch_size - 1))
    videos = draw(st.lists(st.integers(0, 500), min_size=batch_size, max_size=40, unique=True))
    return OverlapSampler(np.array(videos), batch_size, num_carried), np.random.default_rng(
        draw(st.integers(0, 99))
    )


@given(case=samplers(), steps=st.integers(1, 12))
def test_batches_are_distinct_videos_of_the_episode_that_carry_the_right_number(case, steps):
    sampler, generator = case
    previous = None
    for _ in range(steps):
        draw = sampler.draw(generator)
        assert len(draw.indices) == sampler.batch_size == len(set(draw.indices.tolist()))
        assert set(draw.indices.tolist()) <= set(sampler.videos.tolist())
        if previous is None:
            assert len(draw.carried_rows) == 0
        else:
            assert len(draw.carried_rows) == sampler.num_carried
            carried = previous[draw.carried_rows]
            np.testing.assert_array_equal(draw.indices[: sampler.num_carried], carried)
        previous = draw.indices


@given(case=samplers())
def test_the_first_round_shows_no_video_twice_as_new(case):
    sampler, generator = case
    new_per_step = sampler.batch_size - sampler.num_carried
    new = list(sampler.draw(generator).indices)
    while len(new) + new_per_step <= len(sampler.videos):
        new.extend(sampler.draw(generator).indices[sampler.num_carried :])
    assert len(new) == len(set(new))


@given(case=samplers(), rounds=st.integers(1, 4))
def test_every_video_comes_within_each_round(case, rounds):
    sampler, generator = case
    for _ in range(rounds):
        seen = set(sampler.draw(generator).indices.tolist())
        # A round ends within this many batches: each batch takes at least one video off the waiting order.
        for _ in range(2 * len(sampler.videos)):
            seen |= set(sampler.draw(generator).indices.tolist())
        assert seen == set(sampler.videos.tolist())


@given(case=samplers(), steps=st.integers(1, 40), seed=st.integers(0, 99))
def test_draws_are_those_of_plain_lists(case, steps, seed):
    sampler, _ = case
    generator, twin = np.random.default_rng(seed), np.random.default_rng(seed)
    batch, waiting = [], []
    for _ in range(steps):
        carried = twin.permutation(len(batch))[: sampler.num_carried].tolist()
        batch = [batch[row] for row in carried]
        while len(batch) < sampler.batch_size:
            waiting = waiting or twin.permutation(sampler.videos).tolist()
            new = [video for video in waiting if video not in batch][: sampler.batch_size - len(batch)]
            batch += new
            waiting = [video for video in waiting if video not in new]
            # Who is left waits, unless the round must end to fill the batch.
            waiting = waiting if len(batch) == sampler.batch_size else []
        draw = sampler.draw(generator)
        assert (draw.indices.tolist(), draw.carried_rows.tolist()) == (batch, carried)
        assert sampler.waiting.tolist() == waiting


def test_the_paper_s_episode_fits_its_third_of_the_training_set():
    sampler = OverlapSampler(np.arange(3333), 128, 32)
    generator = np.random.default_rng(0)
    seen = np.concatenate([sampler.draw(generator).indices for _ in range(32)])
    assert len(np.unique(seen)) == 3104


@given(case=samplers(), steps=st.integers(0, 8))
def test_state_round_trip(case, steps):
    sampler, generator = case
    for _ in range(steps):
        sampler.draw(generator)
    stored = io.BytesIO()
    torch.save(sampler.get_state(), stored)
    stored.seek(0)
    twin = OverlapSampler(np.arange(sampler.batch_size), sampler.batch_size, sampler.num_carried)
    twin.set_state(torch.load(stored, weights_only=True))
    twin_generator = np.random.default_rng()
    twin_generator.bit_generator.state = generator.bit_generator.state
    for _ in range(3):
        for found, expected in zip(twin.draw(twin_generator), sampler.draw(generator), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_draw_does_not_share_memory_with_the_sampler():
    sampler = OverlapSampler(np.arange(20), 4, 1)
    generator = np.random.default_rng(0)
    draw = sampler.draw(generator)
    draw.indices[:] = 99
    assert set(sampler.draw(generator).indices.tolist()) <= set(range(20))


@pytest.mark.parametrize(("videos", "batch_size", "num_carried"), [(3, 4, 0), (9, 4, 4), (9, 4, -1)])
def test_impossible_sizes(videos, batch_size, num_carried):
    with pytest.raises(ValueError, match=r"videos|num_carried"):
        OverlapSampler(np.arange(videos), batch_size, num_carried)
