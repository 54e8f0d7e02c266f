import dataclasses
import json
import sys
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.baselines import make
from rlld_agents.baselines.base import weak_labels
from rlld_agents.baselines.cleanlab import Cleanlab, _judged
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.errors import InputError
from tests.agents.baselines.contexts import assert_keeps_its_promises, small_context


@pytest.fixture(scope="module")
def library():
    return pytest.importorskip("cleanlab")


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31), videos=st.integers(2, 100))
def test_method_keeps_its_promises(library, seed: int, videos: int) -> None:
    method = make("cleanlab", folds=3)
    assert method.name == "cleanlab"
    denoised = assert_keeps_its_promises(method, small_context(seed, videos))
    json.dumps(denoised.details, allow_nan=False)
    assert denoised.validation_labels == "none"
    assert denoised.network is None


def test_decisions_are_those_of_cleanlab_on_each_class(library) -> None:
    find_label_issues = library.filter.find_label_issues

    context = small_context(videos=96, epochs=3)
    method = Cleanlab(folds=2)
    denoised, weak = method.denoise(context), weak_labels(context)
    probabilities = method.held_out_probabilities(context)
    assert denoised.removal_score is not None
    missing = 0
    for modality, kept in enumerate((denoised.audio, denoised.visual)):
        for label in range(25):
            present, probability = weak[:, label], probabilities[modality][:, label].astype(np.float64)
            if not present.any():
                continue
            pair = np.stack((1 - probability, probability), axis=1)
            flagged = find_label_issues(present.astype(int), pair, n_jobs=1)
            np.testing.assert_array_equal(present & ~kept[:, label], present & flagged)
            missing += int((flagged & ~present).sum()) if modality == 0 else 0
            score = denoised.removal_score[:, modality, label]
            np.testing.assert_allclose(score, np.where(present, 1 - probability, 0.0), atol=1e-6)
    assert denoised.details["missing"]["audio"] == missing
    assert (weak & ~denoised.audio).any() or (weak & ~denoised.visual).any()


def test_classes_without_two_kinds_of_videos_are_left_alone(library) -> None:
    weak = np.zeros((40, 4), np.bool_)
    weak[:20, 0] = weak[:, 1] = weak[::2, 3] = True
    probability = np.where(weak, 0.9, 0.1).astype(np.float32)
    probability[3, 0] = 0.05
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        issues, scores = _judged(weak, probability, "prune_by_noise_rate")
    assert np.argwhere(issues).tolist() == [[3, 0]]
    assert not scores[:, [1, 2]].any()
    assert np.unravel_index(scores.argmax(), scores.shape) == (3, 0)
    assert not _judged(weak[:, 1:3], probability[:, 1:3], "prune_by_noise_rate")[0].any()


@pytest.mark.parametrize("cross_attention", [False, True])
def test_no_video_is_judged_by_a_parser_that_learned_from_it(cross_attention: bool) -> None:
    context = small_context(videos=60)
    method = Cleanlab(folds=3, cross_attention=cross_attention)
    before = method.held_out_probabilities(context)
    part = torch.randperm(60, generator=torch.Generator().manual_seed(context.seed))[:20]
    train = context.data["train"]
    train.labels[part] = 1 - train.labels[part]  # these tensors are copies
    after = method.held_out_probabilities(context)
    mine = np.zeros(60, np.bool_)
    mine[part.numpy()] = True
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old[mine], new[mine])
        assert (old[~mine] != new[~mine]).any(axis=1).all()


def test_parsers_without_cross_attention_do_not_see_the_other_modality() -> None:
    context = small_context(videos=40)
    train = context.data["train"]
    deaf = dataclasses.replace(train, audio=torch.zeros_like(train.audio))
    silent = dataclasses.replace(context, data=StoreTensors({**context.data, "train": deaf}))
    for cross_attention in (False, True):
        # One video a part: every probability comes from one forward pass of one video.
        method = Cleanlab(folds=2, cross_attention=cross_attention)
        plain, without = method.held_out_probabilities(context), method.held_out_probabilities(silent)
        assert not np.array_equal(plain[0], without[0])
        # The loss joins the modalities, so weights differ; but only cross-attention carries sound into pictures.
        assert plain[1].shape == without[1].shape == (40, 25)


def test_seed_decides_the_parts() -> None:
    context = small_context(videos=60)
    other = dataclasses.replace(context, seed=1)
    method = Cleanlab(folds=2)
    first, second = method.held_out_probabilities(context), method.held_out_probabilities(other)
    assert not np.array_equal(first[0], second[0])


def test_progress_counts_the_epochs_of_all_parsers() -> None:
    seen: list[tuple[int, int]] = []
    context = dataclasses.replace(
        small_context(videos=30, epochs=2), progress=lambda done, total: seen.append((done, total))
    )
    Cleanlab(folds=3).held_out_probabilities(context)
    assert seen == [(done, 6) for done in range(1, 7)]


def test_missing_library_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(InputError, match=r"needs cleanlab; install it: pip install 'rlld-gym\[cleanlab\]'"):
        make("cleanlab").denoise(small_context())


@pytest.mark.parametrize("options", [{"folds": 1}, {"filter_by": "magic"}])
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        Cleanlab(**options)


def test_one_video_is_too_few() -> None:
    with pytest.raises(InputError, match="found 1 training videos"):
        Cleanlab().held_out_probabilities(small_context(videos=1))
