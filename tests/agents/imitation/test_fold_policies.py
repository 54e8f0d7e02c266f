"""The warm start: what its estimate rests on, which epoch it keeps, and what it returns."""

import dataclasses
import json
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from rlld_agents import PolicyEnsemble, denoise
from rlld_agents.imitation import ImitationConfig, WarmStart, WarmStartConfig, imitate, warm_start
from rlld_agents.imitation.out_of_fold import OutOfFold, best_epoch, split_into_folds
from rlld_agents.labels.estimate import estimate_removals
from rlld_agents.labels.removal import removal_quality
from rlld_gym.data import open_data
from rlld_gym.data.classes import SPEECH
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from tests.agents.imitation.parsers import DATA, started

VALIDATION = DATA["val"]
PLAIN = WarmStartConfig(folds=2, calibrate=False, imitation=ImitationConfig(epochs=1))


@cache
def default() -> WarmStart:
    return warm_start(started, VALIDATION, WarmStartConfig())


def truth(videos: SplitTensors = VALIDATION) -> tuple[np.ndarray, np.ndarray]:
    assert videos.dense_audio is not None
    assert videos.dense_visual is not None
    return videos.dense_audio.any(1).numpy(), videos.dense_visual.any(1).numpy()


def with_other_truth(chosen: Tensor) -> SplitTensors:
    """Return the validation videos with the opposite truth for some of them."""
    assert VALIDATION.dense_visual is not None
    dense = VALIDATION.dense_visual ^ chosen[:, None, None]
    return dataclasses.replace(VALIDATION, dense_visual=dense)


@pytest.mark.long
def test_the_estimate_is_what_policies_do_on_videos_that_were_held_out() -> None:
    """Hold videos out by hand, denoise them as training videos are, and judge with their truth."""
    warm = warm_start(started, VALIDATION, PLAIN, seed=3)
    labels = VALIDATION.labels.numpy() > 0
    left = np.zeros((len(VALIDATION), 2, 25), bool)
    scores = np.zeros((len(VALIDATION), 2, 25), np.float32)
    for fold in (0, 1):
        policy = started()
        rest = (warm.fold != fold).nonzero().squeeze(1)
        imitate(policy, VALIDATION, PLAIN.imitation, seed=3 + fold, indices=rest)
        revised = denoise(policy, DATA, split="val")
        held_out = (warm.fold == fold).numpy()
        left[held_out] = np.stack((revised.audio, revised.visual), axis=1)[held_out]
        scores[held_out] = revised.removal_probability[held_out]
    np.testing.assert_allclose(warm.probability.numpy(), scores, rtol=1e-4, atol=1e-6)
    expected = removal_quality(labels, left[:, 0], left[:, 1], truth(), scores)
    for name in ("audio", "visual"):
        found = warm.estimate.as_dict()[name]
        for measure, value in expected.as_dict()[name].items():
            assert found[measure] == pytest.approx(value, abs=1e-4)
    others = labels.copy()
    others[:, SPEECH] = False
    rest_quality = removal_quality(others, left[:, 0] & others, left[:, 1] & others, truth(), scores)
    without = warm.estimate.as_dict()["visual"]
    assert without["auc_without_speech"] == pytest.approx(rest_quality.visual.auc, abs=1e-4)
    assert without["precision_without_speech"] == pytest.approx(rest_quality.visual.precision, abs=1e-4)


def test_no_video_teaches_the_policy_that_judges_it() -> None:
    first = warm_start(started, VALIDATION, PLAIN)
    mine = first.fold == 0
    second = warm_start(started, with_other_truth(mine), PLAIN)
    assert torch.equal(first.fold, second.fold)
    assert torch.equal(first.probability[mine], second.probability[mine])
    assert not torch.equal(first.probability[~mine], second.probability[~mine])


def test_no_fold_chooses_its_own_epoch_or_shift() -> None:
    """Whatever its truth: the decisions about a fold follow from the other folds."""
    generator = torch.Generator().manual_seed(0)
    fold = split_into_folds(len(VALIDATION), 3, seed=0)
    epochs = [torch.randn(len(VALIDATION), 2, 25, generator=generator) for _ in range(4)]
    mine = fold == 1
    results = [
        OutOfFold(videos, fold, SPEECH).nested_probability(epochs)
        for videos in (VALIDATION, with_other_truth(mine))
    ]
    assert torch.equal(results[0][mine], results[1][mine])
    assert not torch.equal(results[0][~mine], results[1][~mine])


def test_the_estimate_foretells_the_quality_of_the_training_labels() -> None:
    warm = default()
    revised = denoise(warm.policy, DATA)
    train = open_data("twin-tiny").split("train")
    quality = removal_quality(
        train.labels, revised.audio, revised.visual, train.truth(), revised.removal_probability
    )
    assert quality.visual.auc is not None
    assert quality.visual.auc > 0.88
    foretold = warm.estimate.as_dict()["visual"]
    for measure in ("precision", "recall", "auc"):
        assert foretold[measure] == pytest.approx(quality.as_dict()["visual"][measure], abs=0.12)
    json.dumps(warm.as_dict(), allow_nan=False)


def test_the_known_best_epoch_is_found() -> None:
    """Log-odds that know the truth better and better, and then worse."""
    generator = torch.Generator().manual_seed(1)
    wrong = torch.from_numpy(~np.stack(truth(), axis=1)).float()
    noise = torch.randn(len(VALIDATION), 2, 25, generator=generator)
    judge = OutOfFold(VALIDATION, split_into_folds(len(VALIDATION), 4, 0), SPEECH)
    epochs = [signal * (2 * wrong - 1) + noise for signal in (0.2, 0.5, 1.0, 2.0, 1.0, 0.3)]
    curve = [judge.quality(epoch) for epoch in epochs]
    assert best_epoch(curve) == 4
    nested = judge.nested_probability(epochs)
    scores = (epochs[3] + judge.shift(epochs[3])).sigmoid() * VALIDATION.labels.unsqueeze(1)
    assert (nested - scores).abs().max() < 0.2, "the fourth epoch, with shifts of three folds instead of four"


def test_of_equal_epochs_the_later_one_is_kept() -> None:
    assert best_epoch([0.5, 0.7, 0.7, 0.6]) == 3


def test_training_ends_when_patience_does_and_the_best_epoch_is_kept() -> None:
    """A learning rate that ruins the parser's encoder: from some epoch on it only gets worse."""
    wild = ImitationConfig(epochs=12, head_learning_rate=0.5, encoder_learning_rate=0.5)
    config = WarmStartConfig(folds=2, patience=2, calibrate=False, imitation=wild)
    seen: list[tuple[int, int]] = []
    warm = warm_start(started, VALIDATION, config, progress=lambda done, total: seen.append((done, total)))
    assert warm.epochs == best_epoch(warm.curve)
    assert len(warm.curve) == warm.epochs + 2 < 12
    policy = started()
    rest = (warm.fold != 0).nonzero().squeeze(1)
    imitate(policy, VALIDATION, wild, indices=rest, epochs=warm.epochs)
    assert isinstance(warm.policy, PolicyEnsemble)
    for name, weight in warm.policy.policies[0].state_dict().items():
        assert torch.equal(weight, policy.state_dict()[name])
    assert [done for done, _ in seen] == [*range(1, 2 * len(warm.curve) + 1), 24]
    assert {total for _, total in seen} == {24}


def test_the_shift_is_part_of_the_policies() -> None:
    calibrated = warm_start(started, VALIDATION, dataclasses.replace(PLAIN, calibrate=True))
    plain = warm_start(started, VALIDATION, PLAIN)
    assert (plain.shift == 0).all()
    assert (calibrated.shift != 0).all()
    plain.policy.shift_logits(calibrated.shift)
    results = [denoise(warm.policy, DATA, split="val").removal_probability for warm in (plain, calibrated)]
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_a_single_policy_learns_from_all_videos() -> None:
    warm = warm_start(started, VALIDATION, dataclasses.replace(PLAIN, ensemble=False), seed=5)
    policy = started()
    imitate(policy, VALIDATION, PLAIN.imitation, seed=5 + PLAIN.folds)
    assert type(warm.policy) is type(policy)
    for name, weight in warm.policy.state_dict().items():
        assert torch.equal(weight, policy.state_dict()[name])


def test_results_depend_on_the_seed_alone() -> None:
    state = torch.get_rng_state()
    first = warm_start(started, VALIDATION, PLAIN)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(first.probability, warm_start(started, VALIDATION, PLAIN).probability)
    assert not torch.equal(first.fold, warm_start(started, VALIDATION, PLAIN, seed=1).fold)


def test_few_videos_have_a_fold_each_and_undefined_measures_are_none() -> None:
    few = VALIDATION
    rows = (few.labels[:, 0] > 0).nonzero().squeeze(1)[:3]
    assert few.dense_audio is not None
    assert few.dense_visual is not None
    small = SplitTensors(
        few.audio[rows],
        few.visual[rows],
        few.labels[rows],
        torch.ones_like(few.dense_audio[rows]),
        few.dense_visual[rows],
        few.visual_2d_size,
    )
    warm = warm_start(started, small, dataclasses.replace(PLAIN, folds=10))
    assert sorted(warm.fold.tolist()) == [0, 1, 2]
    assert warm.estimate.as_dict()["audio"]["auc"] is None
    with pytest.raises(InputError, match="at least 2 validation videos, found 1"):
        warm_start(started, dataclasses.replace(small, labels=small.labels[:1]), PLAIN)


def test_data_without_speech_have_one_set_of_measures() -> None:
    probability = torch.rand(len(VALIDATION), 2, 25, generator=torch.Generator().manual_seed(0))
    estimate = estimate_removals(probability, VALIDATION, None)
    assert estimate.without_speech is None
    assert not any(name.endswith("_without_speech") for name in estimate.as_dict()["visual"])
    assert estimate.quality == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("options", [{"folds": 1}, {"patience": 0}, {"prior_deviation": -1.0}])
def test_options_that_make_no_sense_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        WarmStartConfig(**options)  # type: ignore[arg-type]
