"""The planted-noise environment with the credit of its labels in info."""

from typing import Any

import gymnasium
import numpy as np

from rlld_gym.envs.planted_noise import PlantedNoiseEnv


class CreditEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Says what removing each label is worth: 1 for noise, -1 for other labels, 0 for absent ones."""

    def __init__(self, **options: Any) -> None:
        self.planted = PlantedNoiseEnv(**options)
        super().__init__(self.planted)

    def step(self, action: Any) -> Any:
        credit = np.where(self.planted.noise, 1.0, -1.0) * self.planted.present
        observation, reward, terminated, truncated, info = self.env.step(action)
        return (
            observation,
            reward,
            terminated,
            truncated,
            {**info, "label_credit": credit.astype(np.float32)},
        )
