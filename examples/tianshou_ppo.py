"""PPO of Tianshou on the per-video environment, or on copies of the joint one.

python examples/tianshou_ppo.py
"""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import BaseVectorEnv, DummyVectorEnv
from tianshou.utils.torch_utils import policy_within_training_step

from rlld_agents.tianshou import PerVideoEnvs, make_policy


def per_video(env_id: str = "rlld/LabelDenoisingPerVideo-v0", **options: Any) -> PerVideoEnvs:
    """Return the videos of one batch as Tianshou's environments; ``num_envs`` is the number of videos."""
    return PerVideoEnvs(gym.make_vec(f"rlld_gym:{env_id}", autoreset_mode="Disabled", **options))


def joint(env_id: str = "rlld/LabelDenoising-v0", copies: int = 2, **options: Any) -> DummyVectorEnv:
    """Return independent copies of the joint environment."""
    make: Callable[[], Any] = lambda: gym.make(f"rlld_gym:{env_id}", **options)  # noqa: E731
    return DummyVectorEnv([make] * copies)


def train(
    envs: BaseVectorEnv,
    *,
    iterations: int = 12,
    steps: int = 8,
    learning_rate: float = 5e-3,
    gamma: float = 0.5,
    epochs: int = 4,
    seed: int = 0,
    **options: Any,
) -> tuple[PPO, list[float]]:
    """Train with ``steps`` of every environment in each iteration; return PPO and the mean returns."""
    np.random.seed(seed)  # noqa: NPY002 (Tianshou draws from the global generators)
    torch.manual_seed(seed)
    spaces = envs.get_env_attr("observation_space")[0], envs.get_env_attr("action_space")[0]
    policy, critic = make_policy(*spaces, seed=seed, **options)
    ppo = PPO(
        policy=policy,
        critic=critic,
        optim=AdamOptimizerFactory(lr=learning_rate),
        gamma=gamma,
        ent_coef=0.0,
        max_grad_norm=0.5,
    )
    collector = Collector(ppo, envs, VectorReplayBuffer(steps * len(envs), len(envs)))
    envs.seed(seed)
    collector.reset()
    returns: list[float] = []
    for _ in range(iterations):
        with policy_within_training_step(policy):
            collected = collector.collect(n_step=steps * len(envs))
            ppo.update(collector.buffer, batch_size=None, repeat=epochs)
        collector.reset_buffer(keep_statistics=True)
        returns.append(float(np.mean(collected.returns)))
        print(f"{collector.collect_step:6d} steps: mean return {returns[-1]:.3f}", flush=True)
    return ppo, returns


def main() -> None:
    """Train on the tiny twin, 16 videos at a time."""
    train(per_video(num_envs=16, data="twin-tiny", episode_length=8, reward="credit"), gamma=0.0)


if __name__ == "__main__":
    main()
