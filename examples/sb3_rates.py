"""PPO of Stable-Baselines3 on removal rates, without an adapter: one decision for an episode.

python examples/sb3_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12


class LearningCurve(BaseCallback):
    """Prints the mean return of every rollout."""

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        assert isinstance(self.model, OnPolicyAlgorithm)
        returns = self.model.rollout_buffer.rewards  # an episode is one step
        print(f"{self.num_timesteps:4d} episodes: mean return {returns.mean():.2f}", flush=True)


def main(episodes: int) -> None:
    """Learn; print the curve and the labels that are left."""
    print(described(control_returns(**OPTIONS)), flush=True)
    env = gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **OPTIONS)
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=3e-3,
        n_steps=ROLLOUT,
        batch_size=ROLLOUT,
        gamma=0.0,  # nothing comes after a decision
        policy_kwargs={"log_std_init": float(np.log(0.3))},  # actions are within -1 and 1
        seed=0,
    )
    model.learn(episodes, callback=LearningCurve())
    action, _ = model.predict(env.reset(seed=0)[0], deterministic=True)
    weak, left = (env.get_wrapper_attr("remaining_labels")(one) for one in (np.full_like(action, -1), action))
    shares = 100 * (1 - left.sum(axis=(0, 2)) / weak.sum(axis=(0, 2)))
    print(
        f"without exploration: return {env.step(action)[1]:.2f}, removes {shares.round()} % (audio, visual)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240)
