"""Checkpoints of Stable-Baselines3 models: equal after loading, small, and clear about bad files."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")
from sb3_contrib import TRPO, MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecMonitor

from rlld_agents.runs.checkpoint import save_checkpoint
from rlld_agents.sb3 import (
    HybridAttentionActorCriticPolicy,
    HybridAttentionMaskableActorCriticPolicy,
    PerVideoVecEnv,
    SinglePassTRPO,
    load,
    save,
)
from rlld_agents.sb3.spaces_json import describe_space, space_from
from rlld_gym.envs.wrappers import FlattenAction
from rlld_gym.errors import InputError
from tests.reliability.toys import rolled, toy_store

PLANTED = "rlld_gym:rlld/PlantedNoisePerVideo-v0"
BATCHES = {"n_steps": 8, "batch_size": 32}
MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ppo": (
        PPO,
        {**BATCHES, "n_epochs": 2, "learning_rate": LinearSchedule(3e-3, 1e-3, 0.5), "clip_range": 0.3},
    ),
    "a2c": (A2C, {"n_steps": 4, "normalize_advantage": True}),
    "a2c-adam": (A2C, {"n_steps": 4, "use_rms_prop": False, "learning_rate": 2e-3}),
    "trpo": (TRPO, {**BATCHES, "cg_max_steps": 2, "n_critic_updates": 1, "target_kl": 0.05}),
    "single-pass-trpo": (SinglePassTRPO, {**BATCHES, "cg_max_steps": 2, "n_critic_updates": 1}),
    "maskable-ppo": (MaskablePPO, {**BATCHES, "n_epochs": 2, "gamma": 0.7}),
}


def make_envs() -> VecMonitor:
    return VecMonitor(PerVideoVecEnv(8, id=PLANTED))


def make_model(name: str, **policy_options: Any) -> Any:
    algorithm, arguments = MODELS[name]
    maskable = algorithm is MaskablePPO
    policy = HybridAttentionMaskableActorCriticPolicy if maskable else HybridAttentionActorCriticPolicy
    options = {"hidden_size": 8, **policy_options}
    return algorithm(
        policy, make_envs(), seed=0, device="cpu", stats_window_size=16, policy_kwargs=options, **arguments
    )


def ppo(env: Any, **policy_options: Any) -> PPO:
    options = {"hidden_size": 8, **policy_options}
    return PPO(HybridAttentionActorCriticPolicy, env, n_steps=2, batch_size=2, policy_kwargs=options)


def assert_same_weights(one: Any, other: Any) -> None:
    for name, value in one.policy.state_dict().items():
        assert torch.equal(value, other.policy.state_dict()[name]), name


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_is_the_saved_one_and_trains_on_like_it(name: str, tmp_path: Path) -> None:
    model = make_model(name).learn(128)
    save(model, tmp_path / "model")
    loaded: Any = load(tmp_path / "model", make_envs())
    assert type(loaded) is type(model)
    assert_same_weights(model, loaded)
    assert loaded.num_timesteps == model.num_timesteps
    assert loaded.seed == 0
    assert list(loaded.ep_info_buffer) == list(model.ep_info_buffer)
    assert isinstance(loaded.policy.optimizer, type(model.policy.optimizer))
    observation = make_envs().reset()
    for one, other in zip(
        model.predict(observation, deterministic=True),
        loaded.predict(observation, deterministic=True),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    for each in (model, loaded):
        each.set_env(make_envs())
        each.set_random_seed(7)
        each.learn(64, reset_num_timesteps=False)
    assert_same_weights(model, loaded)  # equal only if optimizer, schedules and every hyper-parameter are
    assert loaded.num_timesteps == 192


@pytest.mark.parametrize("name", MODELS)
def test_the_library_saves_and_loads_too(name: str, tmp_path: Path) -> None:
    model = make_model(name).learn(64)
    model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model", env=make_envs())
    assert_same_weights(model, loaded)
    loaded.learn(64, reset_num_timesteps=False)
    assert loaded.num_timesteps == 128


def test_a_model_without_environment_predicts_and_takes_one_later(tmp_path: Path) -> None:
    model = make_model("ppo").learn(64)
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    envs = make_envs()
    observation = envs.reset()
    expected, _ = model.predict(observation, deterministic=True)
    np.testing.assert_array_equal(loaded.predict(observation, deterministic=True)[0], expected)
    loaded.set_env(envs)
    loaded.learn(64, reset_num_timesteps=False)
    assert loaded.num_timesteps == 128


def test_another_number_of_videos_is_fine(tmp_path: Path) -> None:
    save(make_model("ppo"), tmp_path / "model")
    loaded = load(tmp_path / "model", PerVideoVecEnv(4, id=PLANTED))
    loaded.learn(32)
    assert loaded.num_timesteps == 32


def test_a_resumed_run_is_repeatable_and_does_not_begin_again(tmp_path: Path) -> None:
    save(make_model("ppo").learn(64), tmp_path / "model")
    envs = [make_envs() for _ in range(3)]
    first, second = (load(tmp_path / "model", each).learn(64, reset_num_timesteps=False) for each in envs[:2])
    assert_same_weights(first, second)
    envs[2].seed(0)
    load(tmp_path / "model", envs[1])
    assert not np.array_equal(envs[1].reset()["audio"], envs[2].reset()["audio"])


@pytest.mark.parametrize("observation", ["features", "indices"])
@pytest.mark.parametrize("view", ["joint", "per_video"])
def test_files_are_small(observation: str, view: str, tmp_path: Path) -> None:
    arguments = {"data": "twin-tiny", "observation": observation}
    env: Any
    if view == "joint":
        env = FlattenAction(gym.make("rlld_gym:rlld/LabelDenoising-v0", batch_size=128, **arguments))
    else:
        env = PerVideoVecEnv(128, **arguments)
    model = ppo(env, data="twin-tiny")
    save(model, tmp_path / "model")
    weights = sum(value.numel() for value in model.policy.parameters()) * 4
    assert (tmp_path / "model").stat().st_size < weights + 50_000
    loaded = load(tmp_path / "model")
    assert loaded.observation_space == model.observation_space
    assert loaded.action_space == model.action_space


def test_less_than_a_megabyte_at_the_sizes_of_llp(tmp_path: Path) -> None:
    low, high = np.full((128, 10, 2585), -65504, np.float32), np.full((128, 10, 2585), 65504, np.float32)
    low[..., -25:], high[..., -25:] = 0, 1
    visual = spaces.Box(low, high)
    audio = spaces.Box(low[..., -153:], high[..., -153:])

    class Batch(gym.Env[Any, Any]):
        observation_space = spaces.Dict({"audio": audio, "visual": visual})
        action_space = spaces.MultiBinary(6400)

        def reset(self, **_: Any) -> Any:
            return {"audio": audio.low * 0, "visual": visual.low * 0}, {}

        def step(self, action: Any) -> Any:
            return *self.reset()[:1], 1.0, False, False, {}

    model = ppo(Batch(), hidden_size=16).learn(2)
    save(model, tmp_path / "model")
    assert (tmp_path / "model").stat().st_size < 1e6  # with Adam's state
    assert load(tmp_path / "model").observation_space == model.observation_space


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(np.arange(12).reshape(2, 2, 3), np.arange(12).reshape(2, 2, 3) + 5, dtype=np.int64),
        spaces.Box(-np.inf, np.inf, (3, 2)),
        spaces.Box(0, 1, (), np.float64),
        spaces.Dict({"a": spaces.MultiBinary((2, 3)), "b": spaces.Dict({"c": spaces.MultiBinary(4)})}),
    ],
)
def test_spaces_come_back(space: spaces.Space[Any]) -> None:
    again = space_from(describe_space(space))
    assert again == space
    assert again.dtype == space.dtype


def test_other_spaces_are_not_described() -> None:
    with pytest.raises(TypeError, match="Dict of Box"):
        describe_space(spaces.Discrete(3))


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        load(tmp_path / "missing")
    save(make_model("ppo"), tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="truncated"):
        load(tmp_path / "cut")
    make_model("ppo").save(tmp_path / "theirs.zip")
    with pytest.raises(InputError, match=r"theirs.*written by model\.save"):
        load(tmp_path / "theirs.zip")
    save_checkpoint(tmp_path / "run", {"epoch": 3})
    with pytest.raises(InputError, match="no model of Stable-Baselines3"):
        load(tmp_path / "run")
    save_checkpoint(tmp_path / "holes", {"kind": "rlld-sb3-model", "algorithm": "PPO", "arguments": {}})
    with pytest.raises(InputError, match="damaged"):
        load(tmp_path / "holes")
    with pytest.raises(InputError, match=r"model's observation_space is Dict\(audio \(4, 6\).*make the"):
        load(tmp_path / "model", PerVideoVecEnv(8, id=PLANTED, num_classes=5))
    assert not list(tmp_path.glob("*.partial"))


def test_what_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    model = make_model("ppo")
    model.learning_rate = lambda remaining: 1e-3 * remaining
    with pytest.raises(TypeError, match="learning_rate"):
        save(model, tmp_path / "model")
    with pytest.raises(TypeError, match=r"model\.save"):
        save(PPO("MlpPolicy", "CartPole-v1", n_steps=8, batch_size=8), tmp_path / "model")

    class Own(PPO):
        pass

    with pytest.raises(TypeError, match="cannot save a Own"):
        save(Own(HybridAttentionActorCriticPolicy, make_envs(), n_steps=8, batch_size=8), tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_model_is_not_used_on_classes_in_another_order(tmp_path: Path) -> None:
    toy_store().save(tmp_path / "toy.h5")
    rolled(toy_store()).save(tmp_path / "rolled.h5")
    first, second = (
        PerVideoVecEnv(8, data=str(tmp_path / name), task_start="fresh") for name in ("toy.h5", "rolled.h5")
    )
    save(ppo(VecMonitor(first)), tmp_path / "model")
    load(tmp_path / "model", VecMonitor(first))
    with pytest.raises(InputError, match="class 0 is 'Speech' there, 'Car' here"):
        load(tmp_path / "model", VecMonitor(second))
