"""The environments ``rlld/PlantedNoise-v0``: a task in seconds that every agent for label denoising must learn."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from rlld_gym.envs.checks import checked_action
from rlld_gym.envs.observations import Observation
from rlld_gym.envs.per_video import PerVideoVectorEnv
from rlld_gym.options import plain, require_count

NOISE_RATE = 0.4
"""Probability that a present label is noise."""


class PlantedNoiseEnv(gymnasium.Env[Observation, NDArray[np.int8]]):
    """A sanity check for agents: features say which labels are noise, and the best policy is known.

    Spaces and info are laid out as in rlld/LabelDenoising-v0, but there is no data set and no task network, so a
    step takes microseconds. Every label is there with probability 1/2, the first class always; a present label is
    noise with probability 0.4. A modality has one feature for each class: 1 where its label is noise, -1 where it
    is not or absent, plus Gaussian noise of standard deviation 0.1 in each segment. Every state has new videos, so
    that actions have no consequences beyond their reward.

    A branch's reward for a video is the mean over its present labels of +1 for a right decision (noise removed,
    other labels kept) and -1 for a wrong one; a video that loses all its labels gets -1 in both. The reward is the
    mean over branches and videos. Removing exactly the noise earns 1 in every step and an episode earns
    `best_return`; removing nothing earns about 0.2 in every step, deciding by coin flips about 0.

    Args:
        batch_size: videos in a state, B.
        num_classes: C.
        num_segments: T.
        episode_length: steps of an episode; the last one terminates it.

    Raises:
        InputError: an argument is no positive integer.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    inter_factor = 1.0
    """What a step pays per unit of ``per_video_reward``."""

    def __init__(
        self, batch_size: int = 4, num_classes: int = 3, num_segments: int = 4, episode_length: int = 4
    ) -> None:
        for name, value in (
            ("batch_size", batch_size),
            ("num_classes", num_classes),
            ("num_segments", num_segments),
            ("episode_length", episode_length),
        ):
            require_count(name, value)
        self.size = (batch_size, 2, num_classes)
        self.num_segments = num_segments
        self.episode_length = episode_length
        box = spaces.Box(-10, 10, (batch_size, num_segments, 2 * num_classes), np.float32)
        self.observation_space = spaces.Dict({"audio": box, "visual": box})
        self.action_space = spaces.MultiBinary(self.size)
        self.render_mode = None
        self.steps = episode_length
        self.present = np.zeros(self.size, np.bool_)
        self.noise = np.zeros(self.size, np.bool_)
        self.features = np.zeros((*self.size[:2], num_segments, num_classes), np.float32)

    @property
    def best_return(self) -> float:
        """Return of an episode under the best policy."""
        return float(self.episode_length)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: restores everything; None goes on at random.
            options: not used.
        """
        super().reset(seed=plain(seed))  # Gymnasium refuses numpy's integers
        self.steps = 0
        return self._draw(), self._state_info()

    def step(self, action: NDArray[np.int8]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Remove labels.

        Args:
            action: (B, 2, C) of 0 and 1; 1 removes.

        Raises:
            ValueError: the action has another shape or other values.
            ResetNeeded: before the first reset, or after the last step of an episode.
        """
        if self.steps >= self.episode_length:
            raise ResetNeeded("call reset() before the first step and after the end of an episode")
        removed = self.present & checked_action(action, self.size)
        value = np.where(self.present, np.where(removed == self.noise, 1.0, -1.0), 0.0)
        per_video = value.sum(2) / self.present.sum(2)
        emptied = (removed == self.present).all((1, 2))
        per_video[emptied] = -1.0
        removed[emptied] = False
        audio, visual = per_video.mean(0)
        self.steps += 1
        observation = self._draw()
        info = {
            "inter_reward": float(per_video.mean()),
            "terminal_reward": 0.0,
            "reward_audio": float(audio),
            "reward_visual": float(visual),
            "per_video_reward": per_video.astype(np.float32),
            "n_removed_audio": int(removed[:, 0].sum()),
            "n_removed_visual": int(removed[:, 1].sum()),
            "n_reverted": int(emptied.sum()),
            **self._state_info(),
        }
        return observation, float(per_video.mean()), self.steps == self.episode_length, False, info

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future."""
        return {
            "generator": self.np_random.bit_generator.state,
            "steps": self.steps,
            "present": self.present.copy(),
            "noise": self.noise.copy(),
            "features": self.features.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """Go back to a state of `get_state`; return the observation and info that the next action is for."""
        self.np_random.bit_generator.state = state["generator"]
        self.steps = state["steps"]
        self.present = state["present"].copy()
        self.noise = state["noise"].copy()
        self.features = state["features"].copy()
        return self._observation(), self._state_info()

    def _draw(self) -> Observation:
        """Draw the next batch of videos."""
        present = self.np_random.random((self.size[0], self.size[2])) < 0.5
        present[:, 0] = True
        self.present = np.stack([present, present], 1)
        self.noise = self.present & (self.np_random.random(self.size) < NOISE_RATE)
        # A video keeps at least one label under the best policy: none is emptied by right decisions.
        self.noise[(self.noise == self.present).all((1, 2)), 0, 0] = False
        clue = np.where(self.noise, 1.0, -1.0)[:, :, None]
        self.features = (clue + self.np_random.normal(0, 0.1, self.features.shape)).astype(np.float32)
        return self._observation()

    def _observation(self) -> Observation:
        labels = np.broadcast_to(self.present[:, :, None], self.features.shape)
        both = np.concatenate((self.features, labels), axis=3, dtype=np.float32)
        return {"audio": both[:, 0].copy(), "visual": both[:, 1].copy()}

    def _state_info(self) -> dict[str, Any]:
        return {
            "indices": np.arange(self.size[0], dtype=np.int64),
            "action_mask": np.where(self.present, 2, 0).astype(np.int8),
        }


class PlantedNoisePerVideoEnv(PerVideoVectorEnv):
    """`PlantedNoiseEnv` with one sub-environment for each video, as in rlld/LabelDenoisingPerVideo-v0.

    Args:
        num_envs: videos of a batch.
        autoreset_mode: as `rlld_gym.envs.per_video.PerVideoVectorEnv` takes it.
        **arguments: of `PlantedNoiseEnv`.
    """

    def _make_joint(self, num_envs: int, arguments: dict[str, Any]) -> PlantedNoiseEnv:
        return PlantedNoiseEnv(batch_size=num_envs, **arguments)

    def _has_ended(self, state: dict[str, Any]) -> bool:
        return bool(state["steps"] >= self._joint.episode_length)
