"""RLLD's own methods: the paper's agent, its ablations and the joint loop."""

import dataclasses
import json

import numpy as np
import pytest

from rlld_agents.baselines import make
from rlld_agents.baselines.base import to_numpy
from rlld_agents.labels.removal import removal_quality
from rlld_gym.data.catalog import open_data
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe
from tests.agents.baselines.contexts import assert_keeps_its_promises, small_context, whole_context


@pytest.mark.parametrize("name", ["paper", "paper+cl"])
def test_the_agent_keeps_its_promises(name: str) -> None:
    method = make(name, episodes=1)
    assert method.name == name
    denoised = assert_keeps_its_promises(method, whole_context())
    assert "reward" in denoised.validation_labels
    assert (denoised.network is not None) == name.endswith("+cl")


@pytest.mark.long
def test_ablations_change_what_is_learned() -> None:
    options = ({}, {"initialized_labels": False}, {"soft_inter_reward": False})
    scores = []
    for option in options:
        denoised = make("paper", episodes=1, **option).denoise(whole_context())
        assert denoised.removal_score is not None
        scores.append(denoised.removal_score)
    assert not np.array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


@pytest.mark.parametrize("name", ["imitation+rounds", "imitation+rounds+cl"])
def test_the_joint_loop_keeps_its_promises(name: str) -> None:
    denoised = assert_keeps_its_promises(make(name), small_context(videos=64))
    json.dumps(denoised.details, allow_nan=False)
    assert (denoised.network is not None) == name.endswith("+cl")


@pytest.mark.long
def test_the_joint_loop_finds_noise() -> None:
    context = dataclasses.replace(whole_context(), recipe=get_recipe("compact-tiny"), hidden_size=32)
    denoised = make("imitation+rounds").denoise(context)
    train = open_data("twin-tiny").split("train")
    quality = removal_quality(
        train.labels, denoised.audio, denoised.visual, train.truth(), denoised.removal_score
    )
    assert quality.visual.auc is not None
    assert quality.visual.auc > 0.9
    assert (quality.visual.precision or 0) > 0.8
    estimate = denoised.details["estimate"]
    assert estimate["visual"]["auc"] == pytest.approx(quality.visual.auc, abs=0.1)
    qualities = [played["estimate"]["quality"] for played in denoised.details["rounds"]]
    assert estimate["quality"] == max(qualities)
    assert denoised.details["round"] == qualities.index(max(qualities)) + 1
    assert to_numpy(context.data["train"].labels).shape == denoised.audio.shape


def test_the_agent_needs_to_know_the_data_set() -> None:
    with pytest.raises(InputError, match="needs a data set by name or path"):
        make("paper").denoise(dataclasses.replace(whole_context(), source=None))


@pytest.mark.parametrize(("option", "value"), [("episodes", 0), ("threshold", 1.0)])
def test_options_that_make_no_sense(option: str, value: float) -> None:
    with pytest.raises(InputError, match=option):
        make("paper", **{option: value})
