"""What an agent must be to become a denoiser, and what it is given."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import gymnasium
from numpy.typing import NDArray

from rlld_agents.baselines.agents.episode_sums import EpisodeSums
from rlld_gym.environment_ids import LABEL_DENOISING

ReportEpisode = Callable[[dict[str, float]], None]
"""Takes the numbers of an episode that has ended."""


@dataclass(frozen=True)
class Task:
    """What an agent learns on.

    Attributes:
        environment: arguments of the environment but for the device, such as ``data`` and ``batch_size``.
        seed: of the agent, and of the environment's first reset.
        device: where networks are to be.
        hidden_size: width that the data set recommends for networks.
        visual_3d_size: how many of the visual features, the last ones, are 3D features.
        report: takes a row of numbers at the end of every episode: "steps" so far, "return", and what else is to
            be drawn. `make` calls it for agents that use its environment.
    """

    environment: dict[str, Any]
    seed: int
    device: str
    hidden_size: int
    visual_3d_size: int
    report: ReportEpisode = field(compare=False)

    def make(self, **changes: Any) -> gymnasium.Env[Any, Any]:
        """Return rlld/LabelDenoising-v0, which reports its episodes.

        Args:
            **changes: other ways to show the same process: ``observation``, ``time_feature``.
        """
        env = gymnasium.make(LABEL_DENOISING, **{**self.environment, "device": self.device, **changes})
        return EpisodeReports(env, self)


@runtime_checkable
class Agent(Protocol):
    """An agent that can be compared. A class is called with the `Task` as its only argument.

    It may also have ``removal_probability(observation) -> (B, 2, C)`` in [0, 1]: then the table shows how well it
    ranks labels (AUC), not only which ones it removes.
    """

    def learn(self, total_steps: int) -> None:
        """Learn for at most ``total_steps`` environment steps, each one action for a whole batch of videos."""

    def act(self, observation: dict[str, NDArray[Any]], info: dict[str, Any]) -> NDArray[Any]:
        """Return which labels to remove, without exploration.

        Args:
            observation: of ``task.make()``: ``audio`` (B, T, Da + C) and ``visual`` (B, T, Dv + C), float32.
            info: has ``action_mask`` (B, 2, C): 2 where a label is present, else 0.

        Returns:
            (B, 2, C) of 0 and 1; 1 removes.
        """


class EpisodeReports(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Reports every episode of a joint environment: steps, return, removals and validation scores.

    Args:
        env: the environment.
        task: whose ``report`` is called at the end of every episode.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], task: Task) -> None:
        super().__init__(env)
        self._report = task.report
        self._sums = EpisodeSums(task.environment)
        self._steps = 0

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._sums.restart()
        return self.env.reset(**options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Pass an action on."""
        result = self.env.step(action)
        _, _, terminated, truncated, info = result
        # A decision of rlld/LabelDenoisingRates-v0 holds for many steps.
        taken = int(info.get("n_steps", 1))
        self._steps += taken
        removed = int(info["n_removed_audio"]) + int(info["n_removed_visual"])
        self._sums.add(taken, float(info["inter_reward"]), removed, info)
        if terminated or truncated:
            self._report(self._sums.row(self._steps, info))
        return result
