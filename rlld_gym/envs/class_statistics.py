"""A wrapper that shows a few numbers for each class instead of videos."""

from typing import Any, Final

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from rlld_gym.denoising.evidence import EVIDENCE_LIMIT
from rlld_gym.denoising.training_evidence import TrainingEvidence
from rlld_gym.envs.observations import Observation

Vector = NDArray[np.float32]

QUANTILES: Final = (0.1, 0.5, 0.9)
"""Of the evidence for a class's labels, in each modality."""


def class_statistics(known: TrainingEvidence) -> Vector:
    """Return what stays the same about each class.

    Args:
        known: of the N training videos.

    Returns:
        (2, C, 4) float32 within [-1, 1]: the number n of the class's labels as log(1 + n) / log(1 + N), the same
        for both modalities; `QUANTILES` of the evidence for them, divided by `EVIDENCE_LIMIT`, 0 where there is
        none.
    """
    number, classes = known.labels.shape
    counts = np.log1p(known.labels.sum(axis=0)) / np.log1p(number)
    statistics = np.zeros((2, classes, 1 + len(QUANTILES)), np.float32)
    statistics[:, :, 0] = counts
    for index in np.flatnonzero(known.labels.any(axis=0)):
        evidence = known.evidence[known.labels[:, index], :, index]
        statistics[:, index, 1:] = np.quantile(evidence, QUANTILES, axis=0).T / EVIDENCE_LIMIT
    return statistics


class ClassStatistics(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Makes the observation a vector of statistics about each class: Box(-1, 1, (2 * C * 5 + 1,)).

    In C order of (2, C, 5): for each modality and class the four numbers of `class_statistics` and the class's
    contribution to the last validation F-score (``info["class_contribution"]`` / 100; 0 until there is one, and
    after a reset with a seed). The last number is the share of the episode that is over.

    Args:
        env: rlld/LabelDenoising-v0 with ``time_feature=True``, in any wrappers.

    Raises:
        TypeError: the environment is another one.
    """

    def __init__(self, env: gymnasium.Env[Observation, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        space = env.observation_space
        if not isinstance(space, spaces.Dict) or "progress" not in space.keys():  # noqa: SIM118 (a Space, no dict)
            raise TypeError("ClassStatistics needs rlld/LabelDenoising-v0 with time_feature=True")
        shape = (env.unwrapped.action_space.shape or ())[1:]
        self._known: Vector | None = None
        self._contribution = np.zeros(shape, np.float32)
        size = self._contribution.size * (2 + len(QUANTILES)) + 1
        self.observation_space = spaces.Box(-1, 1, (size,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Vector, dict[str, Any]]:
        """Reset the environment; see it. A seed makes it forget the last contributions."""
        observation, info = self.env.reset(seed=seed, options=options)
        if seed is not None:
            self._contribution = np.zeros_like(self._contribution)
        return self._vector(observation), info

    def step(self, action: Any) -> tuple[Vector, Any, bool, bool, dict[str, Any]]:
        """Step the environment; see it."""
        return self.shown(*self.env.step(action))

    def shown(
        self, observation: Observation, reward: Any, terminated: bool, truncated: bool, info: dict[str, Any]
    ) -> tuple[Vector, Any, bool, bool, dict[str, Any]]:
        """Return what a step of the environment returned, with the vector as observation."""
        if "class_contribution" in info:
            self._contribution = info["class_contribution"].copy()
        return self._vector(observation), reward, terminated, truncated, info

    def get_state(self) -> dict[str, Any]:
        """Return the environment's state and the last contributions."""
        contribution = torch.from_numpy(self._contribution.copy())
        return {"environment": self.env.get_wrapper_attr("get_state")(), "class_contribution": contribution}

    def set_state(self, state: dict[str, Any]) -> tuple[Vector, dict[str, Any]]:
        """Go back to a state that `get_state` returned."""
        observation, info = self.env.get_wrapper_attr("set_state")(state["environment"])
        self._contribution = state["class_contribution"].numpy().copy()
        return self._vector(observation), info

    def _vector(self, observation: Observation) -> Vector:
        if self._known is None:
            self._known = class_statistics(self.env.get_wrapper_attr("training_evidence")())
        parts = np.concatenate((self._known, self._contribution[..., None] / 100), axis=2)
        return np.concatenate((parts.ravel(), observation["progress"]), dtype=np.float32)
