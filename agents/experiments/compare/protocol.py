"""What an agent must be to take part in a comparison, and what it is given."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gymnasium
from numpy.typing import NDArray

from rlld_agents.environment_id import ENVIRONMENT_ID
from rlld_gym.errors import InputError

Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Task:
    """What an agent learns on.

    Attributes:
        environment: arguments of the environment, the same for all agents, such as ``data`` and ``batch_size``.
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
    report: Report = field(compare=False)

    def make(self, **changes: Any) -> gymnasium.Env[Any, Any]:
        """Return rlld/LabelDenoising-v0, which reports its episodes.

        Args:
            **changes: other ways to show the same process: ``observation``, ``time_feature``.
        """
        env = gymnasium.make(ENVIRONMENT_ID, **{**self.environment, "device": self.device, **changes})
        return EpisodeReports(env, self.report)


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
        report: called at the end of every episode.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], report: Report) -> None:
        super().__init__(env)
        self._report = report
        self._steps = 0
        self._rewards: list[float] = []
        self._removed = 0

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        self._rewards, self._removed = [], 0
        return self.env.reset(**options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Pass an action on."""
        result = self.env.step(action)
        _, reward, terminated, truncated, info = result
        self._steps += 1
        self._rewards.append(float(reward))
        self._removed += int(info["n_removed_audio"]) + int(info["n_removed_visual"])
        if terminated or truncated:
            row = {"steps": self._steps, "return": sum(self._rewards)}
            row["removed_per_step"] = self._removed / len(self._rewards)
            self._report(row | {name: float(info[name]) for name in CURVE_SCORES if name in info})
        return result


CURVE_SCORES = ("segment_audio", "segment_visual", "segment_event", "event_visual", "event_event")
"""Validation scores that are reported with every episode."""


def load_agent_class(text: str) -> Callable[[Task], Agent]:
    """Return the agent that "module:Class" names; modules in the working directory are found, too.

    Raises:
        InputError: if there is no such module or class.
    """
    module_name, _, class_name = text.partition(":")
    if not module_name or not class_name:
        raise InputError(f"--agent {text}: expected module:Class, for example my_module:MyAgent")
    if (directory := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, directory)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ModuleNotFoundError as error:
        raise InputError(f"--agent {text}: there is no module {error.name!r} here or installed") from error
    except AttributeError as error:
        raise InputError(f"--agent {text}: the module has no {class_name!r}") from error
    missing = [name for name in ("learn", "act") if not callable(getattr(found, name, None))]
    if missing:
        raise InputError(f"--agent {text}: has no method {' and no '.join(missing)}; an agent needs both")
    agent: Callable[[Task], Agent] = found
    return agent
