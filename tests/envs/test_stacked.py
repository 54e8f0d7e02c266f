"""Environments trained together against the same environments one by one, as Gymnasium runs them."""

import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from rlld_gym.denoising.process import DenoisingProcess
from rlld_gym.envs.stacked import StackedVectorEnv
from rlld_gym.errors import InputError
from rlld_gym.parsing.stacked import NetworkStack
from tests.envs.rollouts import ID, MODES, MODES_AND_VARIANTS, SMALL, make

STACKED_ID = "rlld_gym:rlld/LabelDenoisingStacked-v0"
NUM_ENVS = 3
CLOSE = {"rtol": 1e-3, "atol": 2e-2}
"""Scores jump where rounding carries a probability over the threshold."""


def make_stacked(mode="NextStep", **arguments):
    return gym.make_vec(STACKED_ID, num_envs=NUM_ENVS, autoreset_mode=mode, **SMALL, **arguments)


def make_separate(mode="NextStep", **arguments):
    return gym.make_vec(
        ID,
        num_envs=NUM_ENVS,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode(mode)},
        **SMALL,
        **arguments,
    )


def play(envs, steps, mode, seed=0):
    """Return everything that is handed out; the labels that are removed depend on the numbers of the steps only."""
    outcomes = [envs.reset(seed=seed)]
    for number in range(steps):
        if mode == "Disabled" and len(outcomes[-1]) == 5 and outcomes[-1][2].all():
            outcomes.append(envs.reset(options={"reset_mask": np.ones(NUM_ENVS, bool)}))
        generator = np.random.default_rng(number)
        outcomes.append(envs.step(generator.random(envs.action_space.shape) < 0.3))
    return outcomes


def assert_close(found, expected):
    """Compare nested infos, rewards and observations."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_close(found[key], value)
    elif isinstance(expected, np.ndarray) and expected.dtype.kind == "O":
        for ours, theirs in zip(found, expected, strict=True):
            assert_close(ours, theirs)
    elif expected is not None:
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize(("mode", "variant"), MODES_AND_VARIANTS)
def test_all_that_is_handed_out_is_that_of_separate_environments(mode, variant):
    stacked, separate = make_stacked(mode, **variant), make_separate(mode, **variant)
    found, expected = (play(envs, 8, mode, seed=[5, 3, 5]) for envs in (stacked, separate))
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        assert len(ours) == len(theirs)
        exact, rounded = (
            [
                {key: value for key, value in each[0].items() if (key == "evidence") == which}
                for each in (ours, theirs)
            ]
            for which in (False, True)
        )
        assert data_equivalence(*exact, exact=True)
        assert_close(*rounded)
        np.testing.assert_array_equal(ours[-1]["action_mask"], theirs[-1]["action_mask"])
        assert_close(ours[-1], theirs[-1])
        for part, other in zip(ours[1:-1], theirs[1:-1], strict=True):
            assert_close(part, other)
    for env, other in zip(stacked.envs, separate.envs, strict=True):
        assert env.np_random.bit_generator.state == other.unwrapped.np_random.bit_generator.state


def test_task_networks_are_those_of_separate_environments():
    """Validation in every step, so that scores after each of many training steps are compared."""
    options = {"episode_length": 12, "terminal_every": 1, "batch_size": 16}
    envs = StackedVectorEnv(NUM_ENVS, **{**SMALL, **options})
    copies = [make(**options) for _ in range(NUM_ENVS)]
    envs.reset(seed=2)
    for number, copy in enumerate(copies):
        copy.reset(seed=2 + number)
    for step in range(12):
        actions = np.random.default_rng(step).random(envs.action_space.shape) < 0.3
        _, rewards, _, _, infos = envs.step(actions)
        for number, copy in enumerate(copies):
            _, reward, _, _, info = copy.step(actions[number])
            assert rewards[number] == pytest.approx(reward, abs=0.02)
            assert infos["segment_audio"][number] == pytest.approx(info["segment_audio"], abs=0.5)
    for env, copy in zip(envs.envs, copies, strict=True):
        ours, theirs = (each.unwrapped.get_state()["process"]["task"] for each in (env, copy))
        step = ours["optimizer"]["state"][0]
        assert step["step"] == 12
        for name, weight in theirs["network"].items():
            if name.endswith("weight") and "in_proj" not in name:
                torch.testing.assert_close(ours["network"][name], weight, rtol=0.05, atol=5e-3)


def counted_training_steps(monkeypatch):
    """Return the list to which every training step of a stack adds its numbers of networks and videos."""
    steps = []
    monkeypatch.setattr(
        NetworkStack,
        "train_step",
        lambda self, batch, *_: steps.append(batch[0].shape[:2]) or torch.zeros(len(batch[0])),
    )
    monkeypatch.setattr(DenoisingProcess, "step", lambda *_: pytest.fail("trained by itself"))
    return steps


def test_one_training_step_for_all(monkeypatch):
    steps = counted_training_steps(monkeypatch)
    envs = make_stacked()
    envs.reset(seed=0)
    envs.step(envs.action_space.sample())
    assert steps == [(NUM_ENVS, SMALL["batch_size"])]


def test_copies_may_be_out_of_step():
    """A reset of some in the middle of an episode; the others go on, and are reset in steps of their own."""
    for mode in MODES:
        outcomes = []
        for envs in (make_stacked(mode, task_lifespan="run"), make_separate(mode, task_lifespan="run")):
            played = play(envs, 2, mode)
            mask = np.array([False, True, False])
            played.append(envs.reset(seed=[None, 9, None], options={"reset_mask": mask}))
            for number in range(1 if mode == "Disabled" else 5):
                generator = np.random.default_rng(number)
                played.append(envs.step(generator.random(envs.action_space.shape) < 0.3))
            outcomes.append(played)
        for ours, theirs in zip(*outcomes, strict=True):
            assert data_equivalence(ours[0], theirs[0], exact=True)
            for part, other in zip(ours[1:], theirs[1:], strict=True):
                assert_close(part, other)


def test_a_copy_goes_on_from_a_stored_state_of_a_separate_environment():
    envs, separate = make_stacked("Disabled"), make()
    envs.reset(seed=0)
    separate.reset(seed=7)
    actions = np.random.default_rng(0).random((2, *envs.action_space.shape)) < 0.3
    separate.step(actions[0, 1])
    envs.step(actions[0])
    envs.envs[1].set_state(separate.unwrapped.get_state())
    _, rewards, _, _, _ = envs.step(actions[1])
    assert rewards[1] == pytest.approx(separate.step(actions[1, 1])[1], abs=0.02)
    ours, theirs = (env.unwrapped.get_state()["process"]["task"] for env in (envs.envs[1], separate))
    assert ours["optimizer"]["state"][0]["step"] == theirs["optimizer"]["state"][0]["step"] == 2
    for number, state in theirs["optimizer"]["state"].items():
        moments = ours["optimizer"]["state"][number]["exp_avg"]
        torch.testing.assert_close(moments, state["exp_avg"], rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_spaces_metadata_and_spec(mode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stacked, separate = make_stacked(mode), make_separate(mode)
        copy = gym.make_vec(EnvSpec.from_json(stacked.spec.to_json()))
    for envs in (stacked, copy, pickle.loads(pickle.dumps(stacked))):
        assert isinstance(envs, StackedVectorEnv)
        assert envs.num_envs == NUM_ENVS
        assert envs.metadata == separate.metadata
        assert envs.metadata["autoreset_mode"] is AutoresetMode(mode)
        assert envs.single_observation_space == separate.single_observation_space
        assert envs.observation_space == separate.observation_space
        assert envs.action_space == separate.action_space
    observations, _ = stacked.reset(seed=0)
    assert observations in stacked.observation_space


def test_gymnasium_wrappers_count_episodes():
    envs = RecordEpisodeStatistics(make_stacked())
    outcomes = play(envs, 4, "NextStep")
    rewards = sum(outcome[1] for outcome in outcomes[1:4])
    np.testing.assert_allclose(outcomes[3][-1]["episode"]["r"], rewards)
    assert outcomes[3][-1]["episode"]["l"].tolist() == [3] * NUM_ENVS


def test_wrong_actions_leave_everything_as_it_was():
    envs, others = make_stacked(), make_stacked()
    with pytest.raises(ResetNeeded, match="before the first reset"):
        envs.step(envs.action_space.sample())
    envs.reset(seed=0)
    others.reset(seed=0)
    bad = np.zeros(envs.action_space.shape)
    bad[2, 0, 0, 0] = 2
    for actions in (bad, bad[:2]):
        with pytest.raises(ValueError, match="action"):
            envs.step(actions)
    good = np.ones(envs.action_space.shape, np.int8)
    assert_close(envs.step(good)[-1], others.step(good)[-1])


def test_after_the_last_step_a_reset_is_needed_where_autoreset_is_disabled():
    envs = make_stacked("Disabled")
    play(envs, 3, "Disabled")
    with pytest.raises(ResetNeeded, match="after the last step"):
        envs.step(envs.action_space.sample())


def test_bad_options_are_named():
    with pytest.raises(InputError, match="autoreset_mode"):
        StackedVectorEnv(2, autoreset_mode="never", **SMALL)
    with pytest.raises(InputError, match="num_envs"):
        StackedVectorEnv(0, **SMALL)


def test_it_trains_within_no_grad_and_leaves_the_global_random_state_alone():
    envs = make_stacked()
    state = torch.get_rng_state()
    with torch.inference_mode():
        play(envs, 2, "NextStep")
    assert torch.get_rng_state().equal(state)
