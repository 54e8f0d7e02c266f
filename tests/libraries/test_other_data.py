"""Every library's door on data that are not LLP's: 20 segments, 7 classes of their own, other feature sizes."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rlld_gym.data import FeatureStore
from tests.data.made_up import OWN
from tests.libraries.own_data import BATCH, LENGTH, own_options, per_video


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return own_options(tmp_path_factory.mktemp("own"))


def test_environments_fit_the_data(options: dict[str, Any]) -> None:
    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", render_mode="rgb_array", **options)
    observation, _ = env.reset(seed=0)
    assert observation["audio"].shape == (BATCH, 20, 5 + 7)
    assert observation["visual"].shape == (BATCH, 20, 11 + 7)
    assert observation in env.observation_space
    for step in range(LENGTH):
        observation, reward, _, truncated, _ = env.step(env.action_space.sample())
        assert np.isfinite(reward)
        assert truncated == (step == LENGTH - 1) or observation in env.observation_space
    assert np.asarray(env.render()).ndim == 3
    rates = gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **options)
    assert rates.reset(seed=0)[0].shape == (10 * 7 + 1,)
    assert np.isfinite(float(rates.step(rates.action_space.sample())[1]))


@pytest.mark.parametrize("library", ["sb3", "torchrl", "tianshou", "skrl", "cleanrl"])
def test_removal_rates(library: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    needed = {"sb3": "stable_baselines3", "cleanrl": "torch"}.get(library, library)
    pytest.importorskip(needed)
    example = importlib.import_module(f"examples.{library}_rates")
    monkeypatch.setattr(example, "OPTIONS", options)
    example.main(16)


def _sb3(options: dict[str, Any]) -> None:
    from stable_baselines3 import PPO  # noqa: PLC0415

    from rlld_agents.sb3 import HybridAttentionActorCriticPolicy, PerVideoVecEnv  # noqa: PLC0415

    env = PerVideoVecEnv(BATCH, observation="indices", **per_video(options))
    policy = {"data": options["data"], "hidden_size": 8}
    model = PPO(HybridAttentionActorCriticPolicy, env, n_steps=LENGTH, batch_size=BATCH, policy_kwargs=policy)
    model.learn(2 * LENGTH * BATCH)


def _torchrl(options: dict[str, Any]) -> None:
    example = importlib.import_module("examples.torchrl_ppo")
    envs = example.per_video(num_envs=BATCH, **per_video(options))
    example.train(*envs, iterations=1, steps=LENGTH, epochs=1, hidden_size=8)


def _tianshou(options: dict[str, Any]) -> None:
    example = importlib.import_module("examples.tianshou_ppo")
    envs = example.per_video(num_envs=BATCH, **per_video(options))
    example.train(envs, iterations=1, steps=LENGTH, hidden_size=8)


def _skrl(options: dict[str, Any]) -> None:
    example = importlib.import_module("examples.skrl_ppo")
    envs = gym.make_vec(
        "rlld_gym:rlld/LabelDenoisingPerVideo-v0",
        num_envs=BATCH,
        autoreset_mode="SameStep",
        **per_video(options),
    )
    example.train(envs, iterations=1, rollouts=LENGTH, hidden_size=8)


def _cleanrl(options: dict[str, Any]) -> None:
    example = importlib.import_module("examples.cleanrl_ppo")
    example.train(example.Args(num_envs=BATCH, env_options=per_video(options), episodes=1))


@pytest.mark.parametrize(
    ("library", "learn"),
    [
        ("stable_baselines3", _sb3),
        ("torchrl", _torchrl),
        ("tianshou", _tianshou),
        ("skrl", _skrl),
        ("torch", _cleanrl),
    ],
)
def test_a_bit_for_each_label(
    library: str, learn: Callable[[dict[str, Any]], None], options: dict[str, Any]
) -> None:
    pytest.importorskip(library)
    learn(options)


def test_the_store_says_what_it_is(options: dict[str, Any]) -> None:
    store = FeatureStore.open(Path(options["data"]))
    assert (store.num_segments, store.classes, store.header.never_visible) == (20, OWN, "Wind")
