"""PPO of Stable-Baselines3 on the per-video environment, with index observations, paid by credit.

python examples/sb3_ppo.py
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecMonitor

from rlld_agents import denoise
from rlld_agents.sb3 import HybridAttentionActorCriticPolicy, PerVideoVecEnv, load, save
from rlld_gym.data import open_data

DATA = "twin-tiny"
NUM_VIDEOS = 16
EPISODE_LENGTH = 8


class LearningCurve(BaseCallback):
    """Prints a line for every rollout, which is one episode of each video."""

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        episodes: Any = self.model.ep_info_buffer
        removed = self.model.rollout_buffer.actions.sum(axis=-1).mean()  # type: ignore[attr-defined]
        print(
            f"{self.num_timesteps:5d} steps: mean return {np.mean([one['r'] for one in episodes]):.3f}, "
            f"{removed:.2f} labels removed per video, "
            f"audio F-score {np.mean([one['segment_audio'] for one in episodes]):.3f}",
            flush=True,
        )


def make_envs() -> VecMonitor:
    """Return the videos of one batch as environments."""
    options: dict[str, Any] = {"data": DATA, "episode_length": EPISODE_LENGTH, "observation": "indices"}
    videos = PerVideoVecEnv(NUM_VIDEOS, reward="credit", **options)
    return VecMonitor(videos, info_keywords=("segment_audio",))


def main() -> None:
    """Train, save, load, train on, and denoise the labels of the data set."""
    model = PPO(
        HybridAttentionActorCriticPolicy,
        make_envs(),
        learning_rate=1e-3,
        n_steps=EPISODE_LENGTH,
        batch_size=NUM_VIDEOS * EPISODE_LENGTH,
        n_epochs=4,
        gamma=0.0,  # a place in the batch shows another video in every step
        stats_window_size=NUM_VIDEOS,
        policy_kwargs={"data": DATA},  # where the network finds the features
        seed=0,
    )
    model.learn(8 * NUM_VIDEOS * EPISODE_LENGTH, callback=LearningCurve())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ppo.ckpt"
        save(model, path)
        print(f"saved and loaded {path.stat().st_size / 1e6:.2f} MB")
        restored = load(path, make_envs())
    restored.learn(2 * NUM_VIDEOS * EPISODE_LENGTH, callback=LearningCurve(), reset_num_timesteps=False)
    policy: Any = restored.policy
    labels = denoise(policy.actor_critic.policy, open_data(DATA))
    print(f"denoised labels of {len(labels.audio)} videos")


if __name__ == "__main__":
    main()
