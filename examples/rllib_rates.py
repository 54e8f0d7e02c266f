"""PPO of RLlib on removal rates, with its default module: one decision for an episode.

python examples/rllib_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12


def make_env(options: dict[str, Any]) -> gym.Env[Any, Any]:
    """Return the environment with a flat action: RLlib's catalog takes no other."""
    env = gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **options)
    flat = gym.spaces.Box(-1, 1, (int(np.prod(env.action_space.shape or ())),), np.float32)
    return gym.wrappers.TransformAction(env, lambda action: np.reshape(action, env.action_space.shape), flat)


def main(episodes: int) -> None:
    """Learn and print the curve."""
    print(described(control_returns(**OPTIONS)), flush=True)
    ray.init(log_to_driver=False, num_cpus=2, include_dashboard=False)
    register_env("rates", make_env)
    config = PPOConfig().environment("rates", env_config=OPTIONS, disable_env_checking=True)
    config = config.env_runners(num_env_runners=0, rollout_fragment_length="auto")
    config = config.training(
        train_batch_size_per_learner=ROLLOUT,
        minibatch_size=ROLLOUT,
        num_epochs=10,
        lr=3e-3,
        gamma=0.0,
        use_kl_loss=False,
        grad_clip=0.5,
        model={"fcnet_hiddens": [64, 64], "free_log_std": True},
    )
    ppo = config.debugging(seed=0, log_level="ERROR").build_algo()
    for done in range(ROLLOUT, episodes + 1, ROLLOUT):
        runners = ppo.train()["env_runners"]
        print(f"{done:4d} episodes: mean return {runners.get('episode_return_mean', np.nan):.2f}", flush=True)
    ppo.stop()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240)
