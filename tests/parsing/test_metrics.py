"""The vectorised metric against golden numbers and against the definition, written out video by video."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_gym.parsing.metrics import MAX_SEGMENTS, SCORE_NAMES, parsing_scores, scores_per_video
from tests.parsing.naive_metrics import naive_scores
from tests.shared_files import shared_path


@pytest.fixture(scope="module")
def golden():
    with np.load(shared_path("golden/golden_metrics.npz"), allow_pickle=False) as stored:
        shape = tuple(stored["shape"])
        tracks = [
            np.unpackbits(stored[name])[: np.prod(shape)].reshape(shape).astype(bool)
            for name in ("pred_audio", "pred_visual", "true_audio", "true_visual")
        ]
        return tracks, stored["segment_per_video"], stored["event_per_video"], stored["table"]


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy], ids=["numpy", "torch"])
def test_golden_numbers(golden, convert):
    tracks, segment, event, table = golden
    scores = parsing_scores(*map(convert, tracks))
    np.testing.assert_allclose(scores.segment_per_video, segment, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores.event_per_video, event, rtol=0, atol=1e-9)
    np.testing.assert_allclose(scores.table, table, rtol=0, atol=1e-9)


def random_tracks(generator, shape, *, density, agreement):
    """Predicted and true tracks; a share of the predicted segments is copied from the truth."""
    true = [generator.random(shape) < density for _ in range(2)]
    noise = [generator.random(shape) < density for _ in range(2)]
    copied = [generator.random(shape) < agreement for _ in range(2)]
    return [np.where(c, t, n) for c, t, n in zip(copied, true, noise, strict=True)] + true


def assert_equals_the_definition(tracks):
    scores = parsing_scores(*tracks)
    table, segment, event = naive_scores(*tracks)
    np.testing.assert_allclose(scores.segment_per_video, segment, rtol=0, atol=2e-7)
    np.testing.assert_allclose(scores.event_per_video, event, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scores.table, table, rtol=0, atol=2e-5)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 15) | st.integers(60, 68), st.integers(1, 4)),
    density=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    agreement=st.sampled_from([0.0, 0.7, 1.0]),
)
def test_equals_the_definition(seed, shape, density, agreement):
    """More than 63 segments need wider integers than fewer."""
    generator = np.random.default_rng(seed)
    assert_equals_the_definition(random_tracks(generator, shape, density=density, agreement=agreement))


def test_every_pair_of_rows_of_six_segments():
    """All 64 x 64 pairs: the one-to-one argument behind the event counts holds on each."""
    rows = (np.arange(64)[:, None] >> np.arange(6)) & 1 > 0
    predicted = np.repeat(rows, 64, axis=0)[:, :, None]
    true = np.tile(rows, (64, 1))[:, :, None]
    empty = np.zeros_like(true)
    assert_equals_the_definition([predicted, empty, true, empty])


@pytest.mark.long
def test_longest_videos():
    full, empty = np.ones((1, MAX_SEGMENTS, 2), bool), np.zeros((1, MAX_SEGMENTS, 2), bool)
    half = full.copy()
    half[:, : MAX_SEGMENTS // 2, 1] = False  # one segment more than half is left
    assert_equals_the_definition([half, full, full, empty])
    assert parsing_scores(half, full, full, full).event_per_video.tolist() == [[1.0] * 4]


def test_no_value_is_read_before_the_scores_are():
    """Tensors without values: whatever asked for one, and so made a GPU wait, would fail."""
    tracks = [torch.empty((7, 10, 3), dtype=torch.bool, device="meta") for _ in range(4)]
    scores = scores_per_video(*tracks)
    assert scores.device.type == "meta"
    assert scores.shape == (2, 4, 7)
    assert scores.dtype == torch.float64


def test_inputs_are_left_alone():
    tracks = random_tracks(np.random.default_rng(4), (5, 10, 3), density=0.5, agreement=0.5)
    before = [track.copy() for track in tracks]
    tensors = [torch.from_numpy(track) for track in tracks]
    parsing_scores(*tracks)
    parsing_scores(*tensors)
    for track, copy in zip(tracks, before, strict=True):
        np.testing.assert_array_equal(track, copy)


def test_empty_everything_scores_one_and_truth_scores_hundred():
    empty = np.zeros((3, 10, 25), bool)
    assert (parsing_scores(empty, empty, empty, empty).table == 100.0).all()
    truth = np.random.default_rng(0).random((3, 10, 25)) < 0.3
    assert (parsing_scores(truth, truth, truth, truth).table == 100.0).all()


def test_half_overlap_matches():
    predicted, true = np.zeros((2, 10, 1), bool), np.zeros((2, 10, 1), bool)
    true[:, 0:4] = True
    predicted[0, 0:2] = True  # 2 of 4: matches
    predicted[1, 3:6] = True  # 1 of 6: does not
    empty = np.zeros_like(true)
    assert parsing_scores(predicted, empty, true, empty).event_per_video[:, 0].tolist() == [1.0, 0.0]


def test_named_scores_read_the_table_row_by_row():
    tracks = np.random.default_rng(1).random((4, 5, 10, 3)) < 0.4
    scores = parsing_scores(*tracks)
    named = scores.as_dict()
    assert tuple(named) == SCORE_NAMES
    assert len(SCORE_NAMES) == 10
    assert named["segment_type"] == pytest.approx(scores.table[0, :3].mean())
    assert named["event_event"] == pytest.approx(100 * scores.event_per_video[:, 3].mean())
    assert all(type(value) is float for value in named.values())


def test_mixed_strided_and_read_only_inputs():
    tracks = list(np.random.default_rng(2).random((4, 5, 3, 10)) < 0.4)
    strided = [track.transpose(0, 2, 1) for track in tracks]
    tensors = [torch.from_numpy(track).transpose(1, 2) for track in tracks]
    backwards = strided[1][::-1].copy()[::-1]
    read_only = strided[3].copy()
    read_only.flags.writeable = False
    expected = parsing_scores(*strided).table
    with warnings.catch_warnings(action="error"):
        for mixed in (tensors, [tensors[0], backwards, strided[2], read_only]):
            np.testing.assert_array_equal(parsing_scores(*mixed).table, expected)


@pytest.mark.gpu
def test_tensors_on_a_gpu_give_the_same_scores():
    tracks = list(np.random.default_rng(3).random((4, 5, 15, 3)) < 0.4)
    expected = parsing_scores(*tracks)
    there = [torch.from_numpy(track).to("cuda") for track in tracks]
    for mixed in (there, [there[0], there[1], tracks[2], torch.from_numpy(tracks[3])]):
        found = parsing_scores(*mixed)
        np.testing.assert_array_equal(found.table, expected.table)
        np.testing.assert_array_equal(found.event_per_video, expected.event_per_video)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.astype(np.float32), "bool"),
        (lambda x: x.astype(np.int8), "bool"),
        (lambda x: torch.from_numpy(x).float(), "bool"),
        (lambda x: x[:-1], "shape"),
        (lambda x: x[:, :-1], "shape"),
        (lambda x: x[..., :-1], "shape"),
        (lambda x: x.tolist(), "bool"),
    ],
)
@pytest.mark.parametrize("position", range(4))
def test_malformed_track_is_refused(change, message, position):
    tracks = [np.zeros((4, 10, 3), bool) for _ in range(4)]
    tracks[position] = change(tracks[position])
    with pytest.raises(ValueError, match=message):
        parsing_scores(*tracks)


@pytest.mark.parametrize("shape", [(0, 10, 3), (4, MAX_SEGMENTS + 1, 3), (4, 0, 3), (4, 10), (4, 10, 3, 1)])
def test_unusable_shape_is_refused(shape):
    with pytest.raises(ValueError, match="tracks"):
        parsing_scores(*[np.zeros(shape, bool)] * 4)
