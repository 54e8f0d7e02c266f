"""The twin against LLP's counts, and its promises: seeded, shaped, truthful."""

import numpy as np
import pytest

from rlld_gym.data import CLASSES, twin
from rlld_gym.data.classes import llp_statistics
from rlld_gym.data.twins.features import draw_latents, draw_prototypes
from rlld_gym.data.twins.labels import draw_events, draw_label_sets
from rlld_gym.data.twins.scales import TWIN_SCALES, ModalityModel
from rlld_gym.errors import InputError


@pytest.mark.parametrize(("split", "number"), [("train", 10000), ("val", 649), ("test", 1200)])
def test_full_count_reproduces_every_label_set_of_llp(split: str, number: int) -> None:
    labels = draw_label_sets(split, number, np.random.default_rng(3))
    found: dict[tuple[int, ...], int] = {}
    for row in labels:
        key = tuple(int(index) for index in np.flatnonzero(row))
        found[key] = found.get(key, 0) + 1
    assert found == {tuple(classes): count for classes, count in llp_statistics()["label_sets"][split]}


def test_pooled_modality_noise_is_that_of_llp() -> None:
    generator = np.random.default_rng(0)
    events = draw_events(draw_label_sets("train", 10000, generator), generator)
    heard = events.dense_audio.any(1)[events.labels]
    seen = events.dense_visual.any(1)[events.labels]
    # LLP's dense annotations: 5 % of audio and 36 % of visual labels are noise, visual Speech 78 %. The label
    # sets of training videos weight the classes differently, hence the margins.
    assert 1 - heard.mean() == pytest.approx(0.053, abs=0.015)
    assert 1 - seen.mean() == pytest.approx(0.36, abs=0.04)
    speech = CLASSES.index("Speech")
    assert 1 - events.dense_visual.any(1)[events.labels[:, speech], speech].mean() == pytest.approx(
        0.779, abs=0.02
    )


def test_events_occur_only_where_the_weak_label_is() -> None:
    generator = np.random.default_rng(1)
    events = draw_events(draw_label_sets("test", 300, generator), generator)
    absent = ~events.labels[:, None, :]
    assert not (events.dense_audio & absent).any()
    assert not (events.dense_visual & absent).any()


def test_temporal_patterns_occur_at_the_rate_of_llp() -> None:
    generator = np.random.default_rng(2)
    labels = np.zeros((20000, len(CLASSES)), dtype=bool)
    labels[:, 3] = True
    events = draw_events(labels, generator)
    bits = 1 << np.arange(10)
    pairs = np.stack(
        [(events.dense_audio[:, :, 3] * bits).sum(1), (events.dense_visual[:, :, 3] * bits).sum(1)], 1
    )
    patterns = llp_statistics()["temporal_patterns"][3]
    total = sum(count for *_, count in patterns)
    for audio, visual, count in patterns[:5]:
        rate = ((pairs[:, 0] == audio) & (pairs[:, 1] == visual)).mean()
        assert rate == pytest.approx(count / total, abs=0.015)


def test_latents_equal_a_naive_sum_over_events_without_randomness() -> None:
    model = ModalityModel(24, 1, 1.0, 0.0, 0.0, 0.5, 0.3, 0.0)
    prototypes = draw_prototypes(model, np.random.default_rng(0))
    dense = np.random.default_rng(1).random((40, 10, len(CLASSES))) < 0.1
    latents = draw_latents(dense, prototypes, model, np.random.default_rng(2))
    noise = np.random.default_rng(2).standard_normal((40, 10, 24), dtype=np.float32)
    expected = np.einsum("ntc,cd->ntd", dense.astype(np.float32), prototypes[:, 0])
    np.testing.assert_allclose(latents - noise, expected, atol=1e-4)


def test_twin_has_the_declared_sizes_and_is_equal_for_equal_seeds() -> None:
    first, again, other = twin("tiny", 0), twin("tiny", 0), twin("tiny", 1)
    scale = TWIN_SCALES["tiny"]
    for name, number in zip(("train", "val", "test"), scale.videos, strict=True):
        split = first.split(name)
        assert split.audio.shape == (number, 10, scale.audio_size)
        assert split.visual.shape == (number, 10, scale.visual_2d_size + scale.visual_3d_size)
        assert np.isfinite(split.audio).all()
        assert np.isfinite(split.visual).all()
        np.testing.assert_array_equal(split.audio, again.split(name).audio)
        np.testing.assert_array_equal(split.visual, again.split(name).visual)
        np.testing.assert_array_equal(split.dense_visual, again.split(name).dense_visual)
        assert not np.array_equal(split.audio, other.split(name).audio)


def test_hidden_truth_is_a_subset_of_the_weak_labels() -> None:
    truth = twin("tiny", 0).split("train").truth()
    assert truth is not None
    for modality in truth:
        assert not (modality & ~twin("tiny", 0).split("train").labels).any()


def test_unknown_scale_and_negative_seed_are_refused() -> None:
    with pytest.raises(InputError, match=r'unknown twin scale "huge".*tiny, small, full'):
        twin("huge")
    with pytest.raises(InputError, match="seed of a twin"):
        twin("tiny", -1)
