"""PPO of RLlib on removal rates, with its default module: one decision for an episode.

python examples/rllib_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig
from ray.tune.registry import register_env

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12
DEVIATION = 0.3
"""Of the first actions, which lie within -1 and 1. RLlib's modules begin with 1."""


class Centred(gym.Wrapper[Any, Any, Any, Any]):
    """Pays a return less the mean of the last ones.

    RLlib adds a step without a reward to every episode, and standardises the advantages of both: beside it all
    episodes of one step would look good.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.returns: list[float] = []

    def step(self, action: Any) -> Any:
        """Step the environment."""
        observation, reward, *rest = self.env.step(action)
        self.returns.append(float(reward))
        return observation, float(reward) - float(np.mean(self.returns[-ROLLOUT:])), *rest


def make_env(options: dict[str, Any]) -> gym.Env[Any, Any]:
    """Return the environment with a flat action, as RLlib's catalog needs it, in units of the first deviation."""
    env = gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **options)
    shape, limit = env.action_space.shape or (), 1 / DEVIATION
    flat = gym.spaces.Box(-limit, limit, (int(np.prod(shape)),), np.float32)
    flattened = gym.wrappers.TransformAction(env, lambda action: np.reshape(DEVIATION * action, shape), flat)
    return Centred(flattened)


def main(episodes: int) -> None:
    """Learn and print the curve."""
    print(described(control_returns(**OPTIONS)), flush=True)
    ray.init(log_to_driver=False, num_cpus=2, include_dashboard=False)
    register_env("rates", make_env)
    config = PPOConfig().environment("rates", env_config=OPTIONS, disable_env_checking=True)
    config.normalize_actions = config.clip_actions = False  # in units already; the environment clips
    config = config.env_runners(num_env_runners=0, rollout_fragment_length="auto").training(
        train_batch_size_per_learner=ROLLOUT,
        minibatch_size=ROLLOUT,
        num_epochs=10,
        lr=3e-3,
        gamma=0.0,
        use_kl_loss=False,
        grad_clip=0.5,
    )
    network = DefaultModelConfig(fcnet_hiddens=[64, 64], free_log_std=True, vf_share_layers=False)
    ppo = config.rl_module(model_config=network).debugging(seed=0, log_level="ERROR").build_algo()
    for done in range(ROLLOUT, episodes + 1, ROLLOUT):
        ppo.train()
        (returns,) = ppo.env_runner.env.unwrapped.get_attr("returns")
        print(f"{done:4d} episodes: mean return {np.mean(returns[-ROLLOUT:]):.2f}", flush=True)
    ppo.stop()
    ray.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240)
