"""Every library's door on data that are not LLP's: 20 segments, 7 classes of their own, other feature sizes."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from rlld_gym.data import FeatureStore
from rlld_gym.data.split import Split
from tests.data.made_up import OWN

BATCH, LENGTH = 8, 2


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the environment's arguments for a small store."""
    generator = np.random.default_rng(0)
    splits = {}
    for name, number in (("train", 48), ("val", 12), ("test", 12)):
        labels = generator.random((number, 7)) < 0.3
        labels[np.arange(number), generator.integers(7, size=number)] = True
        dense = labels[:, None] & (generator.random((2, number, 20, 7)) < 0.7)
        sizes = {"audio": 5, "visual": 11}
        features = {
            key: generator.normal(size=(number, 20, size)).astype("float16") for key, size in sizes.items()
        }
        names = tuple(f"{name} clip {row}" for row in range(number))
        splits[name] = Split(
            name, names, **features, labels=labels, dense_audio=dense[0], dense_visual=dense[1]
        )
    path = tmp_path_factory.mktemp("own") / "own.h5"
    notes = {"hidden_size": 8, "recipe": "compact-tiny", "never_visible": "Wind"}
    FeatureStore(splits, classes=OWN, visual_2d_size=7, attributes=notes, name="own").save(path)
    start = {"task_start_epochs": 1}
    return {"data": str(path), "batch_size": BATCH, "episode_length": LENGTH, "subset": 0.5, **start}


def per_video(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "batch_size"}


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
