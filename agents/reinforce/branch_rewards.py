"""What the audio and the visual branch are paid in a step, if that is what the step paid."""

import math
import warnings
from typing import Any

TOLERANCE = 1e-6
"""Relative difference of the branches' mean from the reward, at most; rewards are sums of float32 numbers."""


class BranchRewards:
    """Splits a step's reward into those of the two branches (Eq. 15 of RLLD, arXiv 2412.19563).

    ``info["reward_audio"]`` and ``info["reward_visual"]`` count where their mean is the reward that was returned.
    Where it is not, somebody has changed the reward on its way, such as a wrapper: then the reward counts, for both
    branches, and that is said once.

    Args:
        separate: use the branches' own rewards at all.
        beside_credit: somebody learns from the credit in info, too, which a wrapper of rewards leaves as it is.
    """

    def __init__(self, separate: bool, *, beside_credit: bool = False) -> None:
        self.separate = separate
        self.beside_credit = beside_credit
        self._warned = False

    def __call__(self, reward: float, info: dict[str, Any]) -> tuple[float, float]:
        """Return the reward of the audio and of the visual branch."""
        if not (self.separate or self.beside_credit) or not {"reward_audio", "reward_visual"} <= info.keys():
            return reward, reward
        audio, visual = float(info["reward_audio"]), float(info["reward_visual"])
        if math.isclose((audio + visual) / 2, reward, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            return (audio, visual) if self.separate else (reward, reward)
        if not self._warned:
            self._warned = True
            learned = "both branches learn from the reward alone"
            if self.beside_credit:
                learned = (
                    "credit is what info says, as if nobody had changed the reward; use advantage 'episode'"
                )
            warnings.warn(
                f"the reward of a step is {reward:.6g}, but info says that the branches were paid {audio:.6g} and "
                f"{visual:.6g}: {learned}",
                stacklevel=2,
            )
        return reward, reward
