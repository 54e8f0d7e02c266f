"""Agents that the tests bring along as a user would."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.baselines.agents import Task


class RemoveFirst:
    """Removes every visual label of the first class; learns by walking through the budget."""

    def __init__(self, task: Task) -> None:
        self.env = task.make()
        self.seed = task.seed
        self.more = 0

    def learn(self, total_steps: int) -> None:
        _, info = self.env.reset(seed=self.seed)
        for _ in range(total_steps + self.more):
            _, _, terminated, _, info = self.env.step(self.act({}, info))
            if terminated:
                _, info = self.env.reset()

    def act(self, observation: dict[str, NDArray[Any]], info: dict[str, Any]) -> NDArray[Any]:
        action = np.zeros_like(info["action_mask"])
        action[:, 1, 0] = 1
        return action


class RemoveNothing(RemoveFirst):
    """Keeps all labels."""

    def act(self, observation: dict[str, NDArray[Any]], info: dict[str, Any]) -> NDArray[Any]:
        return np.zeros_like(info["action_mask"])


class Greedy(RemoveFirst):
    """Takes more steps than it may."""

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.more = 4


class Broken(RemoveFirst):
    """Fails while it learns."""

    def learn(self, total_steps: int) -> None:
        raise ZeroDivisionError("no idea")


class WrongShape(RemoveFirst):
    """Acts for one video only."""

    def learn(self, total_steps: int) -> None:
        pass

    def act(self, observation: dict[str, NDArray[Any]], info: dict[str, Any]) -> NDArray[Any]:
        return np.zeros(info["action_mask"].shape[1:])


class Doubtful(WrongShape):
    """Has diverged."""

    def act(self, observation: dict[str, NDArray[Any]], info: dict[str, Any]) -> NDArray[Any]:
        return np.full(info["action_mask"].shape, np.nan)


class Deaf:
    """Has no method act."""

    def learn(self, total_steps: int) -> None:
        pass
