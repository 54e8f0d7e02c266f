"""Rates whose copies are trained together, against the same environments one by one, as Gymnasium runs them."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode

from rlld_gym.envs.stacked_rates import StackedRatesVectorEnv
from rlld_gym.errors import InputError
from tests.envs.rollouts import MODES, SMALL
from tests.envs.test_stacked import assert_close, counted_training_steps

STACKED_ID = "rlld_gym:rlld/LabelDenoisingRatesStacked-v0"
NUM_ENVS = 3
VARIANTS = [
    {},
    {"decide_every": 2, "terminal_every": 2},
    {"task_lifespan": "run", "empty_rule": "modality", "middle_shares": (0.1, 0.3)},
]


def make_stacked(mode, **arguments):
    return gym.make_vec(STACKED_ID, num_envs=NUM_ENVS, autoreset_mode=mode, **SMALL, **arguments)


def make_separate(mode, **arguments):
    return gym.make_vec(
        "rlld_gym:rlld/LabelDenoisingRates-v0",
        num_envs=NUM_ENVS,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode(mode)},
        **SMALL,
        **arguments,
    )


def play(envs, decisions, mode):
    """Return everything that is handed out; actions depend on the numbers of the decisions only."""
    outcomes = [envs.reset(seed=[5, 3, 5])]
    for number in range(decisions):
        if mode == "Disabled" and len(outcomes[-1]) == 5 and outcomes[-1][2].all():
            outcomes.append(envs.reset(options={"reset_mask": np.ones(NUM_ENVS, bool)}))
        actions = np.random.default_rng(number).uniform(-1, 1, envs.action_space.shape)
        outcomes.append(envs.step(actions.astype(np.float32)))
    return outcomes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_all_that_is_handed_out_is_that_of_separate_environments(mode, variant):
    found, expected = (play(make(mode, **variant), 4, mode) for make in (make_stacked, make_separate))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) == len(theirs)
        for part, other in zip(ours, theirs, strict=True):
            assert_close(part, other)


def test_one_training_step_for_all(monkeypatch):
    steps = counted_training_steps(monkeypatch)
    envs = make_stacked("SameStep")
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    assert steps == [(NUM_ENVS, SMALL["batch_size"])] * SMALL["episode_length"]


def test_what_cannot_be_played_leaves_all_as_they_are():
    envs = make_stacked("Disabled")
    with pytest.raises(ResetNeeded):
        envs.step(envs.action_space.sample())
    envs.reset(seed=0)
    wrong = np.zeros((NUM_ENVS, 2, 25), np.float32)
    wrong[2, 1, 4] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        envs.step(wrong)
    with pytest.raises(ValueError, match=r"shape \(2, 25\)"):
        envs.step(wrong[0])
    _, _, terminations, _, infos = envs.step(0 * envs.action_space.sample())
    assert terminations.all()
    np.testing.assert_array_equal(infos["n_steps"], SMALL["episode_length"])
    with pytest.raises(ResetNeeded):
        envs.step(envs.action_space.sample())


def test_a_pickled_copy_plays_the_same_and_bad_arguments_are_refused():
    envs = StackedRatesVectorEnv(2, **SMALL)
    again = pickle.loads(pickle.dumps(envs))
    action = np.zeros((2, 2, 25), np.float32)
    outcomes = []
    for each in (envs, again):
        each.reset(seed=1)
        outcomes.append(each.step(action)[1])
    np.testing.assert_array_equal(*outcomes)
    with pytest.raises(InputError, match="num_envs"):
        StackedRatesVectorEnv(0, **SMALL)
    with pytest.raises(InputError, match="autoreset_mode"):
        StackedRatesVectorEnv(2, autoreset_mode="never", **SMALL)
    with pytest.raises(
        InputError, match=r"gymnasium.make_vec\('rlld_gym:rlld/LabelDenoisingRatesStacked-v0'"
    ):
        gym.make(STACKED_ID)
