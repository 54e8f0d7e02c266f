"""A wrapper that takes one decision for many steps."""

from collections.abc import Generator, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs

from rlld_gym.envs.observations import Observation
from rlld_gym.options import require_count

LAST_ONLY = ("indices", "action_mask", "per_video_reward", "per_video_credit", "label_credit")
"""Entries of a step's info that are about one batch of videos: left out where several were acted upon."""


Outcome = tuple[Observation, float, bool, bool, dict[str, Any]]
"""What ``step`` returns."""


class RepeatAction(gymnasium.Wrapper[Observation, Any, Observation, Any], RecordConstructorArgs):
    """Repeats every action for some steps, or until the episode ends; a step's reward is the sum of theirs.

    A step's info has, of the environment's entries, the sums of ``reward_audio``, ``reward_visual``,
    ``terminal_reward`` and of the counts ``n_...``, the mean of ``inter_reward``, the last of others, and nothing
    that is about one batch; ``n_steps`` is how many steps were taken.

    Args:
        env: an environment whose actions mean the same in every step, as those of
            `rlld_gym.envs.removal_rates.RemovalRates` do.
        steps: for how many steps an action holds; fewer where the episode ends before; None: for the whole episode.

    Raises:
        InputError: steps is no positive integer.
    """

    def __init__(self, env: gymnasium.Env[Observation, Any], steps: int | None = None) -> None:
        if steps is not None:
            require_count("steps", steps)
        RecordConstructorArgs.__init__(self, steps=steps)
        super().__init__(env)
        self._steps = steps

    def step(self, action: Any) -> Outcome:
        """Take the steps; see the environment's ``step``."""
        steps = self.step_by_step(action)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome

    def step_by_step(self, action: Any) -> Generator[None, None, Outcome]:
        """Take the steps, but pause before each of them; return what `step` returns."""
        infos: list[dict[str, Any]] = []
        total, over = 0.0, False
        while not over and len(infos) != self._steps:
            yield
            observation, reward, terminated, truncated, info = self.env.step(action)
            total += float(reward)
            over = terminated or truncated
            infos.append(info)
        return observation, total, terminated, truncated, combined_info(infos)


def combined_info(infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the infos of successive steps say together; see `RepeatAction`.

    Args:
        infos: of one step or more, each as rlld/LabelDenoising-v0 returns it.
    """
    combined: dict[str, Any] = {}
    for info in infos:
        combined |= info
    for name in LAST_ONLY:
        combined.pop(name, None)
    for name in combined:
        values = [info[name] for info in infos if name in info]
        if name in ("reward_audio", "reward_visual", "terminal_reward") or name.startswith("n_"):
            combined[name] = sum(values)
        elif name == "inter_reward":
            combined[name] = float(np.mean(values))
    return {**combined, "n_steps": len(infos)}
