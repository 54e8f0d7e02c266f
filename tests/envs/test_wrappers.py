"""Action wrappers: the same environment behind another action space."""

import doctest
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from rlld_gym.envs import wrappers
from rlld_gym.envs.wrappers import FlattenAction, ToMultiDiscrete
from tests.envs.rollouts import ID, SMALL, make

WRAPPED = [(FlattenAction, {}), (ToMultiDiscrete, {}), (ToMultiDiscrete, {"flat": False})]


@pytest.mark.parametrize(("wrapper", "arguments"), WRAPPED)
def test_it_is_the_same_environment(wrapper, arguments):
    plain, wrapped = make(), wrapper(make(), **arguments)
    expected, found = plain.reset(seed=0), wrapped.reset(seed=0)
    generator = np.random.default_rng(0)
    for _ in range(3):
        action = generator.integers(0, 2, (4, 2, 25))
        expected = plain.step(action)
        found = wrapped.step(action.reshape(wrapped.action_space.shape))
        assert data_equivalence(expected[:-1], found[:-1], exact=True)
        infos = [
            {k: v for k, v in outcome[-1].items() if k != "action_mask"} for outcome in (expected, found)
        ]
        assert data_equivalence(*infos, exact=True)


@pytest.mark.parametrize(
    ("wrapper", "arguments", "space"),
    [
        (FlattenAction, {}, gym.spaces.MultiBinary(200)),
        (ToMultiDiscrete, {}, gym.spaces.MultiDiscrete([2] * 200)),
        (ToMultiDiscrete, {"flat": False}, gym.spaces.MultiDiscrete(np.full((4, 2, 25), 2))),
    ],
)
def test_action_spaces(wrapper, arguments, space):
    assert wrapper(make(), **arguments).action_space == space


def test_masks():
    plain = make().reset(seed=0)[1]["action_mask"]
    flat = FlattenAction(make())
    mask = flat.reset(seed=0)[1]["action_mask"]
    np.testing.assert_array_equal(mask, plain.reshape(-1))
    assert not flat.action_space.sample(mask=mask)[mask != 2].any()

    discrete = ToMultiDiscrete(make())
    pairs = discrete.reset(seed=0)[1]["action_mask"]
    assert pairs.shape == (200, 2)
    assert pairs.dtype == np.int8
    assert pairs[:, 0].all()  # keeping is always allowed
    np.testing.assert_array_equal(pairs[:, 1], mask == 2)
    action = discrete.action_space.sample(mask=tuple(pairs))
    assert not action[mask != 2].any()
    assert ToMultiDiscrete(make(), flat=False).reset(seed=0)[1]["action_mask"].shape == (4, 2, 25, 2)


def test_masks_that_fix_a_bit():
    found = ToMultiDiscrete(make())._mask(np.array([0, 1, 2] + [0] * 197, np.int8))
    assert found[:3].tolist() == [[1, 0], [0, 1], [1, 1]]


@pytest.mark.parametrize(("wrapper", "arguments"), WRAPPED)
def test_gymnasium_check_env_without_any_warning(wrapper, arguments):
    env = wrapper(make(), **arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env, skip_render_check=True)
    found = [str(warning.message) for warning in caught]
    assert [message for message in found if "using `env.unwrapped`" not in message] == []


@pytest.mark.sb3
@pytest.mark.parametrize("observation", ["features", "indices"])
def test_stable_baselines3_check_env(observation):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Sub-spaces of three dimensions "look like an image"; theirs are videos, segments and features.
        warnings.filterwarnings("ignore", message=".*(image|normalize|CnnPolicy|CNN|channel).*")
        checker.check_env(FlattenAction(make(observation=observation)), warn=True)


@pytest.mark.sb3
def test_stable_baselines3_learns_a_step_on_the_flat_action():
    ppo = pytest.importorskip("stable_baselines3").PPO
    env = FlattenAction(make(observation="indices"))
    ppo("MultiInputPolicy", env, n_steps=3, batch_size=3, n_epochs=1, device="cpu", seed=0).learn(3)


@pytest.mark.parametrize(("wrapper", "arguments"), WRAPPED)
def test_spec_survives_json(wrapper, arguments):
    env = wrapper(gym.make(ID, disable_env_checker=True, **SMALL), **arguments)
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    assert spec.additional_wrappers[-1].entry_point == f"rlld_gym.envs.wrappers:{wrapper.__name__}"
    copy = gym.make(spec)
    assert type(copy) is wrapper
    assert copy.action_space == env.action_space
    assert data_equivalence(copy.reset(seed=1), env.reset(seed=1), exact=True)


@pytest.mark.parametrize(("wrapper", "arguments"), WRAPPED)
def test_actions_and_environments_that_are_refused(wrapper, arguments):
    env = wrapper(make(), **arguments)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(3,\); expected"):
        env.step(np.zeros(3))
    with pytest.raises(ValueError, match="contains 2"):
        env.step(np.full(env.action_space.shape, 2))
    with pytest.raises(TypeError, match="MultiBinary"):
        wrapper(gym.make("CartPole-v1"), **arguments)


def test_no_action_mask_no_translation():
    class Bits(gym.Env):
        observation_space = gym.spaces.Dict({"x": gym.spaces.Box(0, 1, (1,))})
        action_space = gym.spaces.MultiBinary((2, 3))

        def reset(self, *, seed=None, options=None):
            return {"x": np.zeros(1, np.float32)}, {"a": 1}

    assert FlattenAction(Bits()).reset()[1] == {"a": 1}


def test_examples_in_docstrings():
    assert doctest.testmod(wrappers).failed == 0
