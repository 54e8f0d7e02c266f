"""Agents that decide once an episode how many labels of each class to remove: PPO and SAC on removal rates."""

from collections.abc import Mapping
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from rlld_agents.baselines.agents.protocol import EpisodeReports, Task
from rlld_gym.environment_ids import LABEL_DENOISING_RATES

ROLLOUT: Final = 12
"""Decisions between PPO's updates."""

FIRST_STD: Final = 0.3
"""First standard deviation of PPO's actions, which lie within -1 and 1."""

OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ppo": {"learning_rate": 3e-3, "policy_kwargs": {"log_std_init": float(np.log(FIRST_STD))}},
    "sac": {
        "learning_rate": 1e-3,
        "learning_starts": 24,
        "gradient_steps": 8,
        "batch_size": 64,
        "ent_coef": 0.01,
        "policy_kwargs": {"net_arch": [64, 64]},
    },
}
"""What differs from the library's defaults, beside gamma = 0: nothing comes after a decision."""


class RatesAgent:
    """An algorithm of Stable-Baselines3 on rlld/LabelDenoisingRates-v0.

    Args:
        task: what to learn on.
        name: a key of `OPTIONS`.
    """

    def __init__(self, task: Task, name: str) -> None:
        self.name = name
        self.seed, self.device = task.seed, task.device
        environment = {key: value for key, value in task.environment.items() if key != "initialized_labels"}
        self.episode_length = int(environment["episode_length"])
        rates = gymnasium.make(LABEL_DENOISING_RATES, **environment, device=task.device)
        self.env = EpisodeReports(rates, task)
        self.left: NDArray[np.bool_] | None = None

    def learn(self, total_steps: int) -> None:
        """Learn for the whole episodes (PPO: whole rollouts) of the budget; then decide without exploring."""
        import stable_baselines3  # noqa: PLC0415 (an extra)

        from rlld_agents.sb3.silent import log_nothing  # noqa: PLC0415

        episodes = max(total_steps // self.episode_length, 1)
        algorithms = {"ppo": stable_baselines3.PPO, "sac": stable_baselines3.SAC}
        options: dict[str, Any] = {}
        if self.name == "ppo":
            rollout = min(ROLLOUT, episodes)
            options = {"n_steps": rollout, "batch_size": rollout, "normalize_advantage": rollout > 1}
            episodes -= episodes % rollout
        model = algorithms[self.name](
            "MlpPolicy",
            self.env,
            gamma=0.0,
            seed=self.seed,
            device=self.device,
            **options,
            **OPTIONS[self.name],
        )
        log_nothing(model)
        model.learn(episodes)
        observation, _ = self.env.reset(seed=self.seed)
        action, _ = model.predict(observation, deterministic=True)
        self.left = self.env.get_wrapper_attr("remaining_labels")(action)
        self.env.close()

    def act(self, _: dict[str, NDArray[Any]], info: dict[str, Any]) -> NDArray[np.int8]:
        """Remove the labels that the learned rates remove, (B, 2, C) int8.

        Raises:
            RuntimeError: nothing was learned yet.
        """
        if self.left is None:
            raise RuntimeError("the agent has no rates yet: call learn() first")
        removed: NDArray[np.bool_] = ~self.left[info["indices"]]
        return removed.astype(np.int8)
