"""PPO of skrl on the per-video environment.

python examples/skrl_ppo.py
"""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed

from rlld_agents.skrl import RemovalModel, wrap


def train(
    envs: Any,
    *,
    iterations: int = 12,
    rollouts: int = 8,
    learning_rate: float = 5e-3,
    gamma: float = 0.5,
    epochs: int = 4,
    seed: int = 0,
    **options: Any,
) -> tuple[PPO, list[float]]:
    """Train with ``rollouts`` steps of every environment in each iteration; return PPO and the mean returns."""
    set_seed(seed)
    envs = RecordEpisodeStatistics(envs, buffer_length=envs.num_envs)
    env = wrap(envs)
    model = RemovalModel(env, seed=seed, **options)
    agent = PPO(
        models={"policy": model, "value": model},
        memory=RandomMemory(memory_size=rollouts, num_envs=env.num_envs, device=env.device),
        observation_space=env.observation_space,
        action_space=env.action_space,
        device=env.device,
        cfg=PPO_CFG(
            rollouts=rollouts,
            learning_epochs=epochs,
            mini_batches=1,
            discount_factor=gamma,
            learning_rate=learning_rate,
            value_loss_scale=0.5,
            value_clip=0.0,
            experiment={"write_interval": 0, "checkpoint_interval": 0},
        ),
    )
    trainer_cfg = {"timesteps": rollouts, "disable_progressbar": True, "close_environment_at_exit": False}
    trainer = SequentialTrainer(env=env, agents=agent, cfg={**trainer_cfg, "headless": True})
    returns: list[float] = []
    for iteration in range(1, iterations + 1):
        trainer.train()  # goes on where it stopped: vector environments are reset only once
        returns.append(float(np.mean(envs.return_queue)))
        print(f"{iteration * rollouts * env.num_envs:6d} steps: mean return {returns[-1]:.3f}", flush=True)
    return agent, returns


def main() -> None:
    """Train on the tiny twin, 16 videos at a time."""
    options: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8, "reward": "credit"}
    envs = gym.make_vec(
        "rlld_gym:rlld/LabelDenoisingPerVideo-v0", num_envs=16, autoreset_mode="SameStep", **options
    )
    train(envs, gamma=0.0)


if __name__ == "__main__":
    main()
