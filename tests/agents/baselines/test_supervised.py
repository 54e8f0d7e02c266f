import dataclasses
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rlld_agents.baselines import Context, make
from rlld_agents.baselines.base import weak_labels
from rlld_agents.imitation import ImitationConfig, WarmStartConfig
from rlld_agents.labels.removal import removal_quality
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe
from tests.agents.baselines.contexts import assert_keeps_its_promises, same, small_context
from tests.agents.imitation.parsers import RECURRENT

QUICK = WarmStartConfig(folds=2, imitation=ImitationConfig(epochs=2, recombinations=0))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**31), videos=st.integers(2, 100), start=st.sampled_from(["parser", "scratch"]))
def test_method_keeps_its_promises(seed: int, videos: int, start: str) -> None:
    method = make("supervised", start=start, warm_start=QUICK)
    assert method.name == "supervised"
    denoised = assert_keeps_its_promises(method, small_context(seed, videos))
    json.dumps(denoised.details, allow_nan=False)


def test_another_seed_gives_another_result() -> None:
    context = small_context()
    results = [
        make("supervised", warm_start=QUICK).denoise(dataclasses.replace(context, seed=seed))
        for seed in (0, 1)
    ]
    assert not same(*results)


def test_tables_are_told_which_labels_were_used() -> None:
    context = small_context()
    started = make("supervised", warm_start=QUICK).denoise(context)
    scratch = make("supervised", warm_start=QUICK, start="scratch").denoise(context)
    used = "dense, per modality, all 20 videos, to learn which labels are wrong"
    assert scratch.validation_labels == used
    assert started.validation_labels.startswith(f"{used}, and to choose the epoch of the parser")
    assert "parser" in started.details
    assert set(scratch.details) == {"policy_parameters", "estimate"}


def test_only_validation_videos_teach_in_which_modality_labels_are_true() -> None:
    method = make("supervised", warm_start=QUICK)
    known, unknown = small_context(truth=True), small_context(truth=False)
    assert same(method.denoise(known), method.denoise(unknown))
    validation = known.data["val"]
    assert validation.dense_visual is not None
    swapped = dataclasses.replace(validation, dense_visual=validation.dense_visual.logical_not())
    changed = dataclasses.replace(known, data=StoreTensors({**known.data, "val": swapped}))
    scratch = make("supervised", warm_start=QUICK, start="scratch")
    scores = [scratch.denoise(context).removal_score for context in (known, changed)]
    assert scores[0] is not None
    assert not np.array_equal(scores[0], scores[1])


def test_labels_above_the_threshold_go_unless_nothing_would_be_left() -> None:
    context = small_context()
    weak = weak_labels(context)
    removed = []
    plain = dataclasses.replace(QUICK, calibrate=False)
    for threshold in (0.2005, 0.202, 0.9):
        method = make("supervised", threshold=threshold, warm_start=plain, start="scratch")
        denoised = method.denoise(context)
        assert denoised.removal_score is not None
        doomed = weak[:, None] & (denoised.removal_score > threshold)
        emptied = (doomed == weak[:, None]).all(axis=(1, 2))
        doomed[emptied] = False
        np.testing.assert_array_equal(weak & ~denoised.audio, doomed[:, 0])
        np.testing.assert_array_equal(weak & ~denoised.visual, doomed[:, 1])
        removed.append(int(doomed.sum()))
    assert removed[0] > removed[1] > removed[2]


@pytest.mark.long
def test_it_finds_visual_noise_and_cross_validation_foretells_how_well() -> None:
    """Better than the rule "no visual Speech" (AUC .79 by construction of the twin)."""
    store, data = open_data("twin-tiny"), shared_tensors("twin-tiny", "cpu")
    context = Context(data, get_recipe("compact-tiny").shortened(10), 32, 0, store.classes)
    denoised = make("supervised").denoise(context)
    train = store.split("train")
    quality = removal_quality(
        train.labels, denoised.audio, denoised.visual, train.truth(), denoised.removal_score
    ).as_dict()
    assert quality["visual"]["auc"] is not None
    assert quality["visual"]["auc"] > 0.85
    foretold = denoised.details["estimate"]
    assert foretold["folds"] == 3
    for measure in ("precision", "recall", "auc"):
        assert foretold["visual"][measure] == pytest.approx(quality["visual"][measure], abs=0.12)


def test_what_cannot_work_is_refused() -> None:
    context = small_context()
    validation = dataclasses.replace(context.data["val"], dense_audio=None)
    bare = dataclasses.replace(context, data=StoreTensors({**context.data, "val": validation}))
    with pytest.raises(InputError, match="no dense labels to learn from"):
        make("supervised").denoise(bare)


def test_a_parser_of_any_make_can_be_the_start() -> None:
    context = small_context()
    context = dataclasses.replace(context, recipe=context.recipe.replace(network=RECURRENT))
    denoised = make("supervised", warm_start=QUICK).denoise(context)
    assert denoised.details["policy_parameters"] > 0


@pytest.mark.parametrize("options", [{"threshold": 1.0}, {"start": "policy"}])
def test_options_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        make("supervised", **options)


def test_the_policy_is_on_the_device_of_the_data() -> None:
    context = small_context()
    denoised = make("supervised", warm_start=QUICK).denoise(context)
    assert denoised.network is None
    assert torch.get_default_dtype() == torch.float32
