"""Each variant of the twin breaks what it claims to break, by the size it claims, and leaves the rest alone."""

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from rlld_gym.data import CLASSES, SPEECH, FeatureStore, twin
from rlld_gym.data.catalog import open_data
from rlld_gym.data.classes import SPLITS, llp_statistics
from rlld_gym.data.split import Split
from rlld_gym.data.twins.departures import draw_shifted, with_dependent_noise, with_wrong_dense
from rlld_gym.data.twins.features import SharedContext, draw_latents
from rlld_gym.data.twins.labels import draw_events, draw_label_sets
from rlld_gym.data.twins.scales import ModalityModel
from rlld_gym.data.twins.variants import TWIN_NAMES, VARIANTS, VariantName, twin_variant
from rlld_gym.envs.checks import data_header
from rlld_gym.errors import InputError

ARRAYS = ("audio", "visual", "labels", "dense_audio", "dense_visual")
SHIFT, DEPENDENT = VARIANTS["shift"].validation, VARIANTS["dependent"].dependent


def variant(name: str | None = None) -> FeatureStore:
    return open_data("twin-tiny" if name is None else f"twin-tiny-{name}")


def changed(name: str) -> set[tuple[str, str]]:
    """Return the arrays, by split and name, in which a variant differs from the twin of the same seed."""
    return {
        (split, array)
        for split in SPLITS
        for array in ARRAYS
        if not np.array_equal(
            getattr(variant(name).split(split), array), getattr(variant().split(split), array)
        )
    }


def everywhere(*arrays: str) -> set[tuple[str, str]]:
    return {(split, array) for split in SPLITS for array in arrays}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("context", everywhere("audio", "visual")),
        ("weak", everywhere("audio", "visual")),
        ("shift", {("val", array) for array in ARRAYS}),
        ("wrong", {("val", "dense_audio"), ("val", "dense_visual")}),
        ("dependent", everywhere("audio", "visual", "dense_audio", "dense_visual")),
    ],
)
def test_nothing_changes_but_what_the_variant_is_about(name: str, expected: set[tuple[str, str]]) -> None:
    assert changed(name) == expected


def test_variants_are_seeded_and_named() -> None:
    assert set(VARIANTS) == set(get_args(VariantName))
    assert len(TWIN_NAMES) == 18
    for name in VARIANTS:
        again, other = twin("tiny", 0, name).split("val"), twin("tiny", 1, name).split("val")
        for array in ARRAYS:
            np.testing.assert_array_equal(getattr(again, array), getattr(variant(name).split("val"), array))
        assert not np.array_equal(again.visual, other.visual)
        assert variant(name).name == f"twin-tiny-{name}"
        assert variant(name).attributes["sources"]["variant"] == name
        header = data_header(f"twin-tiny-{name}", 0)
        assert (header.name, header.counts) == (variant(name).name, variant(name).header.counts)
    assert "variant" not in variant().attributes["sources"]


def test_unknown_variants_are_refused() -> None:
    with pytest.raises(InputError, match=r'unknown variant "easy".*context, shift, weak, wrong, dependent'):
        twin_variant("easy")
    with pytest.raises(InputError, match=r"unknown twin; expected one of twin-tiny, .*-context, -shift"):
        open_data("twin-tiny-easy")


def residual(track: NDArray[np.floating], dense: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what the events do not explain of the videos' mean features, by least squares."""
    features, events = track.astype(np.float64).mean(1), np.c_[dense.mean(1), np.ones(len(dense))]
    return features - events @ np.linalg.lstsq(events, features, rcond=None)[0]


def correlations(split: Split) -> NDArray[np.float64]:
    """Return the correlation of each of 32 audio with the same visual coordinate, given the dense labels."""
    assert split.dense_audio is not None
    assert split.dense_visual is not None
    audio, visual = residual(split.audio, split.dense_audio), residual(split.visual, split.dense_visual)
    return np.array([np.corrcoef(audio[:, d], visual[:, d])[0, 1] for d in range(32)])


def test_tracks_of_a_video_share_a_context_given_the_labels_only_in_that_variant() -> None:
    for name in (None, "weak", "dependent"):
        assert abs(correlations(variant(name).split("train")).mean()) < 0.02
    assert correlations(variant("context").split("train")).min() > 0.05
    # Each track on its own is as before: same spread in every coordinate, no new correlations between coordinates.
    for modality in ("audio", "visual"):
        tracks = [
            getattr(variant(name).split("train"), modality).astype(np.float64) for name in (None, "context")
        ]
        np.testing.assert_allclose(tracks[1].std((0, 1)), tracks[0].std((0, 1)), rtol=0.12)
        spreads = [np.corrcoef(track.mean(1).T) for track in tracks]
        assert np.abs(spreads[1] - spreads[0]).mean() < 0.04


def test_context_correlates_backgrounds_and_gains_by_the_number_it_names() -> None:
    model = ModalityModel(8, 1, 1.0, 0.0, 50.0, 0.5, 0.3, 1.0)
    generator = np.random.default_rng(0)
    shared = SharedContext.draw(0.6, 4000, 6, generator)
    nothing, prototypes = np.zeros((4000, 1, 25), bool), np.zeros((25, 1, 8), np.float32)
    audio, visual = (draw_latents(nothing, prototypes, model, generator, shared)[:, 0] for _ in range(2))
    found = [np.corrcoef(audio[:, d], visual[:, d])[0, 1] for d in range(8)]
    np.testing.assert_allclose(found, [0.6] * 6 + [0.0] * 2, atol=0.06)
    np.testing.assert_allclose(audio.std(0), 50.0, rtol=0.05)

    loud = ModalityModel(8, 1, 1.0, 0.0, 0.0, 0.5, 0.3, 1.0)
    dense, large = np.zeros((4000, 1, 25), bool), np.full((25, 1, 8), 1e4, np.float32)
    dense[:, :, 3] = True
    gains = [np.log(draw_latents(dense, large, loud, generator, shared)[:, 0, 0] / 1e4) for _ in range(2)]
    assert np.corrcoef(*gains)[0, 1] == pytest.approx(0.6, abs=0.05)
    assert np.std(gains) == pytest.approx(1.0, abs=0.05)


def noise(split: Split, modality: int) -> NDArray[np.float64]:
    """Return the share of each class's labels whose event is not there; NaN for a class without labels."""
    truth = split.truth()
    assert truth is not None
    with np.errstate(invalid="ignore"):
        return np.asarray(1 - truth[modality].sum(0) / split.labels.sum(0))


def test_shift_moves_rates_of_validation_classes_and_their_noise_up_and_down() -> None:
    assert SHIFT is not None
    drawn = draw_shifted("val", 20000, SHIFT, np.random.default_rng(0))
    reference = draw_label_sets("val", 649, np.random.default_rng(0))
    ratio = drawn.labels.mean(0) / reference.mean(0)
    odd = np.arange(25) % 2 == 1
    assert ratio[odd].min() > 1  # label sets mix both kinds, so that no class gets its whole factor
    assert ratio[~odd].max() < 0.9
    assert np.exp(np.abs(np.log(ratio)).mean()) > 1.6
    sets = {tuple(classes) for classes, _ in llp_statistics()["label_sets"]["val"]}
    assert {tuple(np.flatnonzero(row).tolist()) for row in np.unique(drawn.labels, axis=0)} <= sets
    patterns = llp_statistics()["temporal_patterns"]
    for index in range(25):
        # The odds of "unheard or unseen" are multiplied by the factor, exactly.
        counts = np.array([count for *_, count in patterns[index]])
        noisy = np.array([not (audio and visual) for audio, visual, _ in patterns[index]])
        odds = counts[noisy].sum() / counts[~noisy].sum() * SHIFT.noise_odds ** (1 if odd[index] else -1)
        videos = drawn.labels[:, index]
        there = drawn.dense_audio[videos, :, index].any(1) & drawn.dense_visual[videos, :, index].any(1)
        assert 1 - there.mean() == pytest.approx(odds / (1 + odds), abs=4 * 0.5 / np.sqrt(len(there)))


def test_shift_is_there_in_the_twin_and_only_between_validation_and_the_others() -> None:
    store = variant("shift")
    speech = [noise(store.split(name), 1)[SPEECH] for name in SPLITS]
    assert speech[1] < 0.65
    assert min(speech[0], speech[2]) > 0.72
    assert noise(store.split("val"), 1)[CLASSES.index("Singing")] > 0.45


def separability(store: FeatureStore, modality: str) -> float:
    """Return between-class over within-class spread of segments that show one event of one of six classes."""
    split = store.split("train")
    dense = getattr(split, f"dense_{modality}").reshape(-1, 25)
    features = getattr(split, modality).reshape(len(dense), -1).astype(np.float64)
    groups = [
        features[(dense.sum(1) == 1) & dense[:, CLASSES.index(name)]]
        for name in ("Dog", "Cello", "Singing", "Helicopter", "Car", "Accordion")
    ]
    between = np.var([group.mean(0) for group in groups], axis=0).mean()
    return float(between / np.mean([group.var(0).mean() for group in groups]))


@pytest.mark.parametrize("modality", ["audio", "visual"])
def test_events_are_less_separable_in_weak_features_only(modality: str) -> None:
    expected = separability(variant(), modality)
    assert separability(variant("weak"), modality) < 0.8 * expected
    for name in ("shift", "context", "dependent"):
        assert separability(variant(name), modality) == pytest.approx(expected, rel=0.12)


def test_one_in_ten_validation_labels_is_wrong_and_test_is_clean() -> None:
    found, true = variant("wrong").split("val"), variant().split("val")
    wrong = [
        (mine != theirs).sum() for mine, theirs in zip(found.truth() or (), true.truth() or (), strict=True)
    ]
    assert sum(wrong) / (2 * true.labels.sum()) == pytest.approx(0.1, abs=0.002)
    assert min(wrong) > 0.3 * sum(wrong)  # in both modalities
    # Where the decision is right, so is every segment; no event appears without its label, none is lost altogether.
    for mine, theirs in ((found.dense_audio, true.dense_audio), (found.dense_visual, true.dense_visual)):
        assert mine is not None
        assert theirs is not None
        same = mine.any(1) == theirs.any(1)
        np.testing.assert_array_equal(mine.transpose(0, 2, 1)[same], theirs.transpose(0, 2, 1)[same])
        assert not (mine & ~found.labels[:, None]).any()
    there = [split.dense_audio.any(1) | split.dense_visual.any(1) for split in (found, true)]
    np.testing.assert_array_equal(*there)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_any_share_of_wrong_labels_can_be_had(share: float) -> None:
    generator = np.random.default_rng(0)
    events = draw_events(draw_label_sets("val", 649, generator), generator)
    corrupted = with_wrong_dense(events, share, generator)
    wrong = sum(
        int((mine.any(1) != theirs.any(1)).sum())
        for mine, theirs in (
            (corrupted.dense_audio, events.dense_audio),
            (corrupted.dense_visual, events.dense_visual),
        )
    )
    assert wrong == pytest.approx(share * 2 * events.labels.sum(), abs=1)


def unseen_speech(labels: NDArray[np.bool_], dense_visual: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the share of Speech labels that are not seen, in videos with another human sound and without."""
    assert DEPENDENT is not None
    company = labels[:, [CLASSES.index(name) for name in DEPENDENT.companions]].any(1)
    unseen = ~dense_visual[:, :, SPEECH].any(1)
    groups = (labels[:, SPEECH] & company, labels[:, SPEECH] & ~company)
    return float(unseen[groups[0]].mean()), float(unseen[groups[1]].mean())


def test_speech_is_seen_with_other_human_sounds_at_the_same_rate_overall() -> None:
    assert DEPENDENT is not None
    generator = np.random.default_rng(0)
    events = draw_events(draw_label_sets("train", 10000, generator), generator)
    dependent = with_dependent_noise(events, DEPENDENT, generator)
    assert unseen_speech(events.labels, events.dense_visual) == pytest.approx((0.779, 0.779), abs=0.03)
    expected = (DEPENDENT.unseen_with, DEPENDENT.unseen_without)
    assert unseen_speech(events.labels, dependent.dense_visual) == pytest.approx(expected, abs=0.03)
    overall = ~dependent.dense_visual[events.labels[:, SPEECH], :, SPEECH].any(1)
    assert overall.mean() == pytest.approx(0.779, abs=0.02)
    # All other classes are as they were, and what is heard of Speech goes with what is seen as in LLP.
    for mine, theirs in (
        (dependent.dense_audio, events.dense_audio),
        (dependent.dense_visual, events.dense_visual),
    ):
        np.testing.assert_array_equal(np.delete(mine, SPEECH, 2), np.delete(theirs, SPEECH, 2))
    known = {(audio, visual) for audio, visual, _ in llp_statistics()["temporal_patterns"][SPEECH]}
    bits = 1 << np.arange(10)
    videos = events.labels[:, SPEECH]
    pairs = zip(
        dependent.dense_audio[videos, :, SPEECH] @ bits,
        dependent.dense_visual[videos, :, SPEECH] @ bits,
        strict=True,
    )
    assert set(pairs) <= known


def test_only_the_dependent_twin_has_dependent_noise() -> None:
    for name in (None, "context", "weak"):
        split = variant(name).split("train")
        assert split.dense_visual is not None
        with_company, without = unseen_speech(split.labels, split.dense_visual)
        assert abs(with_company - without) < 0.1
    for name in SPLITS:
        split = variant("dependent").split(name)
        assert split.dense_visual is not None
        with_company, without = unseen_speech(split.labels, split.dense_visual)
        assert without - with_company > 0.4
