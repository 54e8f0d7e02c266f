"""Stable-Baselines3's algorithms learn planted noise: at least 0.9 of the best return."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

from rlld_agents.sb3 import (
    HybridAttentionActorCriticPolicy,
    HybridAttentionMaskableActorCriticPolicy,
    PerVideoVecEnv,
    SinglePassTRPO,
)
from rlld_gym.envs.wrappers import FlattenAction

LENGTH = 8
PPO_OPTIONS = {"n_steps": 8, "batch_size": 128, "n_epochs": 4, "learning_rate": 5e-3}
TRPO_OPTIONS = {"n_steps": 16, "batch_size": 256, "target_kl": 0.1, "cg_max_steps": 5, "n_critic_updates": 2}


def per_video() -> VecEnv:
    return VecMonitor(PerVideoVecEnv(16, id="rlld_gym:rlld/PlantedNoisePerVideo-v0", episode_length=LENGTH))


def joint() -> VecEnv:
    def make() -> Any:
        return Monitor(FlattenAction(gym.make("rlld_gym:rlld/PlantedNoise-v0", episode_length=LENGTH)))

    return DummyVecEnv([make] * 8)


def train(algorithm: Any, envs: VecEnv, steps: int, seed: int, **options: Any) -> tuple[Any, float, float]:
    """Return the model and the mean returns, as a share of the best one, of its first and last 16 episodes."""
    maskable = algorithm is MaskablePPO
    policy = HybridAttentionMaskableActorCriticPolicy if maskable else HybridAttentionActorCriticPolicy
    options = {"gamma": 0.5, "stats_window_size": 16, "device": "cpu", **options}
    model = algorithm(policy, envs, seed=seed, policy_kwargs={"hidden_size": 32}, **options)
    shares = []
    for _ in range(4):
        model.learn(steps // 4, reset_num_timesteps=False)
        shares.append(np.mean([episode["r"] for episode in model.ep_info_buffer]) / LENGTH)
    return model, shares[0], shares[-1]


def greedy_share(model: Any, envs: VecEnv) -> float:
    """Return the mean return of deterministic episodes, as a share of the best one."""
    envs.seed(100)
    observation: Any = envs.reset()
    paid = []
    for _ in range(4 * LENGTH):
        action, _ = model.predict(observation, deterministic=True)
        observation, rewards, _, _ = envs.step(action)
        paid.append(rewards.mean())
    return float(np.mean(paid))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
@pytest.mark.parametrize(
    ("algorithm", "steps", "options"),
    [
        (PPO, 3072, PPO_OPTIONS),
        (A2C, 4096, {"n_steps": 4, "learning_rate": 3e-3}),
    ],
    ids=["ppo", "a2c"],
)
def test_learns_video_by_video(algorithm: Any, steps: int, options: dict[str, Any], seed: int) -> None:
    model, first, last = train(algorithm, per_video(), steps, seed, **options)
    assert first < 0.8  # it was not known before
    assert last >= 0.9  # of sampled actions
    assert greedy_share(model, per_video()) >= 0.9


@pytest.mark.parametrize(
    ("algorithm", "steps", "options"),
    [
        pytest.param(PPO, 3072, PPO_OPTIONS | {"n_steps": 16, "learning_rate": 1e-2}, id="ppo"),
        pytest.param(A2C, 4096, {"n_steps": 4, "learning_rate": 3e-3}, id="a2c", marks=pytest.mark.long),
    ],
)
def test_learns_the_joint_environment(algorithm: Any, steps: int, options: dict[str, Any]) -> None:
    model, first, last = train(algorithm, joint(), steps, 0, **options)
    assert first < 0.8
    assert last >= 0.9
    assert greedy_share(model, joint()) >= 0.9


@pytest.mark.long
def test_maskable_ppo_learns_what_ppo_learns() -> None:
    # Masks of absent labels from the environment are those that the unmaskable policy sees in its observation.
    model, first, last = train(MaskablePPO, per_video(), 3072, 0, **PPO_OPTIONS)
    _, unmasked_first, unmasked_last = train(PPO, per_video(), 3072, 0, **PPO_OPTIONS)
    assert last >= 0.9
    assert greedy_share(model, per_video()) >= 0.9
    assert first == pytest.approx(unmasked_first, abs=0.05)
    assert last == pytest.approx(unmasked_last, abs=0.05)


@pytest.mark.long
def test_trpo_learns() -> None:
    model, first, last = train(SinglePassTRPO, per_video(), 3072, 0, **TRPO_OPTIONS)
    assert first < 0.8
    assert last >= 0.9
    assert greedy_share(model, per_video()) >= 0.9
