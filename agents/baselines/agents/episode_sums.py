"""What an episode of the per-video or the joint environment comes to, in numbers that all agents share."""

from collections.abc import Mapping
from typing import Any, Final

from rlld_gym.parsing.metrics import SCORE_NAMES

PAID_SCORES: Final = ("segment_audio", "event_visual")
"""The validation scores that the two branches are paid (Eq. 10 of RLLD)."""


class EpisodeSums:
    """Adds up the steps of an episode.

    The return is that of the paper's reward (Eq. 11 of RLLD, arXiv 2412.19563) in the task's environment, whatever
    the agent is paid: curves of agents with other rewards can be compared.

    Args:
        environment: the task's arguments of rlld/LabelDenoising-v0.
    """

    def __init__(self, environment: Mapping[str, Any]) -> None:
        scale = environment.get("inter_scale")
        self._inter_factor = 1 / int(environment["episode_length"]) if scale is None else float(scale)
        self._terminal_scale = float(environment.get("terminal_scale", 0.1))
        self.restart()

    def restart(self) -> None:
        """Begin another episode."""
        self._return = 0.0
        self._removed = 0
        self._steps = 0

    def add(self, steps: int, inter_reward: float, removed: int, info: Mapping[str, Any]) -> None:
        """Take a decision.

        Args:
            steps: that it held for.
            inter_reward: mean over these steps, not scaled.
            removed: labels that were removed in them, in all videos.
            info: with validation scores in percent, where the last step validated.
        """
        self._steps += steps
        self._removed += removed
        self._return += steps * self._inter_factor * inter_reward
        if "segment_audio" in info:
            self._return += self._terminal_scale * sum(float(info[name]) for name in PAID_SCORES) / 2

    def row(self, steps: int, info: Mapping[str, Any]) -> dict[str, float]:
        """Return the episode's numbers.

        Args:
            steps: of all episodes so far.
            info: of the last step.
        """
        row = {"steps": steps, "return": self._return, "removed_per_step": self._removed / self._steps}
        return row | {name: float(info[name]) for name in SCORE_NAMES if name in info}
