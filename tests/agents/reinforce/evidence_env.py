"""A task whose best policy is known: labels with too little evidence are wrong, each class has its own limit."""

from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

LIMITS = np.array([[-1.0, 0.0, 1.0], [0.5, -0.5, 0.0]], np.float32)
"""Evidence that a right label has at least, for each branch and class."""

VIDEOS, STEPS = 64, 3


class EvidenceEnv(gymnasium.Env[dict[str, NDArray[Any]], NDArray[Any]]):
    """Pays the share of right decisions, branch by branch; the last step says it class by class.

    Args:
        says_classes: whether info has ``class_contribution``.
    """

    def __init__(self, says_classes: bool = True) -> None:
        box = gymnasium.spaces.Box(-np.inf, np.inf, (VIDEOS, 1, 1), np.float32)
        evidence = gymnasium.spaces.Box(-np.inf, np.inf, (VIDEOS, 2, 3), np.float32)
        self.observation_space = gymnasium.spaces.Dict({"audio": box, "visual": box, "evidence": evidence})
        self.action_space = gymnasium.spaces.MultiBinary((VIDEOS, 2, 3))
        self.says_classes = says_classes
        self.seeds: list[int | None] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Begin an episode."""
        super().reset(seed=seed)
        self.seeds.append(seed)
        self.steps = 0
        return self._observe(), {}

    def step(self, action: NDArray[Any]) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Pay for a batch of decisions."""
        wrong = self.evidence < LIMITS
        right = (action.astype(bool) == wrong).mean(axis=0)
        self.steps += 1
        done = self.steps == STEPS
        audio, visual = right.mean(axis=1)
        info: dict[str, Any] = {"reward_audio": float(audio), "reward_visual": float(visual)}
        if done and self.says_classes:
            info["class_contribution"] = right.astype(np.float32)
        return self._observe(), float((audio + visual) / 2), done, False, info

    def _observe(self) -> dict[str, NDArray[Any]]:
        self.evidence = self.np_random.normal(size=(VIDEOS, 2, 3)).astype(np.float32)
        empty = np.zeros((VIDEOS, 1, 1), np.float32)
        return {"audio": empty, "visual": empty, "evidence": self.evidence}


class LimitPolicy(nn.Module):
    """Removes labels with less evidence than its limits; the best limits are `LIMITS`."""

    uses_evidence = True

    def __init__(self) -> None:
        super().__init__()
        self.limits = nn.Parameter(torch.zeros(2, 3))
        self.unexplored = nn.Parameter(torch.zeros(1))

    def forward(self, audio: Tensor, visual: Tensor, found: Tensor) -> Tensor:
        """Return log-odds of removal (B, 2, 3)."""
        return self.limits - found

    def explored_parameters(self) -> dict[str, nn.Parameter]:
        """Return the limits."""
        return {"limits": self.limits}
