"""An agent of your own in a comparison: one removal probability for each class and modality, by evolution.

The cross-entropy method keeps a normal distribution of logits, tries candidates for an episode each, and fits the
distribution to the better half. It looks at no feature: what it learns at best is "remove visible speech".

Run this file, or from its folder: rlld compare --quick --agent compare_own_agent:ClassRates
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from gymnasium.spaces import MultiBinary
from numpy.typing import NDArray

from rlld_agents.baselines.agents import Task
from rlld_agents.experiments.study.config import CompareConfig
from rlld_agents.experiments.study.study import Study
from rlld_gym.envs.options import EnvironmentOptions


class ClassRates:
    """Removes labels of a class and modality with one probability, whatever the video shows."""

    def __init__(self, task: Task) -> None:
        self.env = task.make()
        self.random = np.random.default_rng(task.seed)
        self.seed, self.episode_length = task.seed, task.environment["episode_length"]
        assert isinstance(self.env.action_space, MultiBinary)
        self.videos, _, classes = self.env.action_space.shape
        self.mean, self.spread = np.full((2, classes), -1.0), np.full((2, classes), 1.0)

    def learn(self, total_steps: int) -> None:
        """Play episodes until the budget is spent."""
        self.env.reset(seed=self.seed)
        tried: list[tuple[float, NDArray[np.float64]]] = []
        for _ in range(total_steps // self.episode_length):
            logits = self.random.normal(self.mean, self.spread)
            tried.append((self.episode(logits), logits))
            if len(tried) == 6:
                better = np.stack([logits for _, logits in sorted(tried, key=lambda pair: -pair[0])[:3]])
                self.mean, self.spread = better.mean(axis=0), better.std(axis=0) + 0.1
                tried.clear()
        self.env.close()

    def episode(self, logits: NDArray[np.float64]) -> float:
        """Return the return of one episode."""
        self.env.reset()
        total, ended = 0.0, False
        while not ended:
            action = self.random.random((self.videos, *logits.shape)) < self.rates(logits)
            _, reward, ended, _, _ = self.env.step(action.astype(np.int8))
            total += float(reward)
        return total

    def rates(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return probabilities (2, C)."""
        return 1 / (1 + np.exp(-logits))

    def removal_probability(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Return the same probabilities for every video, (B, 2, C)."""
        return np.broadcast_to(self.rates(self.mean), (len(observation["audio"]), *self.mean.shape))

    def act(self, observation: dict[str, NDArray[Any]], _: dict[str, Any]) -> NDArray[np.int8]:
        """Remove classes that are more probably noise than not, (B, 2, C)."""
        return (self.removal_probability(observation) > 0.5).astype(np.int8)


if __name__ == "__main__":
    options: dict[str, Any] = {"data": "twin-tiny", "seeds": 1, "steps": 24, "parser_epochs": 1}
    options["environment"] = EnvironmentOptions(batch_size=32, episode_length=2)
    own = CompareConfig(agents=(), agent=("compare_own_agent:ClassRates",), controls=("keep-all",), **options)
    with TemporaryDirectory() as folder:
        failed = Study(own, Path(folder)).run()
    raise SystemExit(bool(failed))
