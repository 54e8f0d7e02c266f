"""A small environment with planted label noise whose best policy is known."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

BEST_REWARD = 1.0


class PlantedNoiseEnv(gymnasium.Env[dict[str, NDArray[np.float32]], NDArray[np.int8]]):
    """A present label is noise with probability 0.4 and its feature says so; removing the noise is best.

    Observation: features (one per class: positive where the label is noise, negative where it is not, without
    meaning where it is absent) and labels, as in rlld/LabelDenoising-v0. Reward of a branch: mean over its
    present labels of +1 for a right decision and -1 for a wrong one. The best return is the episode's length.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(
        self,
        num_videos: int = 4,
        num_classes: int = 3,
        num_segments: int = 4,
        episode_length: int = 4,
        give_branch_rewards: bool = True,
    ):
        self.size = (num_videos, 2, num_classes)
        self.num_segments = num_segments
        self.episode_length = episode_length
        self.give_branch_rewards = give_branch_rewards
        box = spaces.Box(-10, 10, (num_videos, num_segments, 2 * num_classes), np.float32)
        self.observation_space = spaces.Dict({"audio": box, "visual": box})
        self.action_space = spaces.MultiBinary(self.size)
        self.steps = 0
        self.present = np.zeros(self.size, bool)
        self.noise = np.zeros(self.size, bool)

    def _draw(self) -> dict[str, NDArray[np.float32]]:
        present = self.np_random.random((self.size[0], self.size[2])) < 0.5
        present[:, 0] = True
        self.present = np.stack([present, present], 1)
        self.noise = self.present & (self.np_random.random(self.size) < 0.4)
        clue = np.where(self.noise, 1.0, -1.0)
        observation = {}
        for branch, name in enumerate(("audio", "visual")):
            features = np.repeat(clue[:, None, branch], self.num_segments, 1)
            features += self.np_random.normal(0, 0.1, features.shape)
            labels = np.repeat(self.present[:, None, branch], self.num_segments, 1)
            observation[name] = np.concatenate([features, labels], 2).astype(np.float32)
        return observation

    def _info(self) -> dict[str, Any]:
        return {"action_mask": np.where(self.present, 2, 0).astype(np.int8)}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self._draw(), self._info()

    def step(
        self, action: NDArray[np.int8]
    ) -> tuple[dict[str, NDArray[np.float32]], float, bool, bool, dict[str, Any]]:
        right = action.astype(bool) == self.noise
        value = np.where(self.present, np.where(right, 1.0, -1.0), 0.0)
        branches = value.sum((0, 2)) / self.present.sum((0, 2))
        removed = (self.present & action.astype(bool)).sum((0, 2))
        self.steps += 1
        observation = self._draw()
        info = self._info() | {
            "inter_reward": float(branches.mean()),
            "n_removed_audio": int(removed[0]),
            "n_removed_visual": int(removed[1]),
            "n_reverted": 0,
        }
        if self.give_branch_rewards:
            info |= {"reward_audio": float(branches[0]), "reward_visual": float(branches[1])}
        done = self.steps == self.episode_length
        if done:
            info["segment_audio"] = 100 * float(branches[0])
        return observation, float(branches.mean()), done, False, info

    def get_state(self) -> dict[str, Any]:
        return {
            "generator": self.np_random.bit_generator.state,
            "steps": self.steps,
            "present": self.present.copy(),
            "noise": self.noise.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.np_random.bit_generator.state = state["generator"]
        self.steps = state["steps"]
        self.present = state["present"].copy()
        self.noise = state["noise"].copy()
