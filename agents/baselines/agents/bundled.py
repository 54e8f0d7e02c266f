"""The agents that come along: REINFORCE, and algorithms of Stable-Baselines3 and sb3-contrib."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rlld_agents.baselines.agents.protocol import Agent, EpisodeReports, Task
from rlld_agents.baselines.agents.rates import RatesAgent
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.paper import make_reinforce
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_agents.reinforce.reward_only import evidence_policy, paid_environment, reward_only_config
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.errors import InputError

BASELINE: Mapping[str, Any] = {"baseline": "ema", "reward_to_go": True, "learning_rate": 1e-3}
"""REINFORCE with what its textbook form has and the paper does not mention."""

ON_POLICY: Mapping[str, Mapping[str, Any]] = {
    "ppo": {"learning_rate": 3e-4, "batch_size": 512, "n_epochs": 4},
    "maskable-ppo": {"learning_rate": 3e-4, "batch_size": 512, "n_epochs": 4},
    "a2c": {"learning_rate": 7e-4},
    # The divergence is that of a video's whole action, not of a bit.
    "trpo": {
        "learning_rate": 1e-3,
        "batch_size": 512,
        "cg_max_steps": 5,
        "n_critic_updates": 2,
        "target_kl": 0.1,
    },
}
"""What differs from the library's defaults, beside a rollout of one episode (A2C: a quarter) and gamma = 0: a place
in the batch shows another video in every step."""

PRICED_CREDIT: Mapping[str, Any] = {"reward": "paper+credit", "inter_scale": 3.0}
"""What the per-video agents are paid: credit of the labels they remove, and inter-reward, which they lose by it.
Without that price all labels go whose credit is above 0 on average, outside Speech more right than wrong ones."""


class PolicyAgent:
    """Acts with a `RemovalPolicy`; how it learns is a subclass's matter.

    Args:
        policy: the policy.
    """

    def __init__(self, policy: RemovalPolicy) -> None:
        self.policy = policy

    def removal_probability(self, observation: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return the probability of removing each label, (B, 2, C) float32."""
        device = next(self.policy.parameters()).device
        with torch.no_grad():
            audio, visual = (torch.from_numpy(observation[name]).to(device) for name in ("audio", "visual"))
            return torch.sigmoid(self.policy(audio, visual)).cpu().numpy()

    def act(self, observation: dict[str, NDArray[Any]], _: dict[str, Any]) -> NDArray[np.int8]:
        """Remove the labels whose removal is more probable than not, (B, 2, C) int8."""
        return (self.removal_probability(observation) > 0.5).astype(np.int8)


class ReinforceAgent(PolicyAgent):
    """The bundled REINFORCE.

    Args:
        task: what to learn on.
        **options: of `ReinforceConfig`; the paper's preset where left out.
    """

    def __init__(self, task: Task, **options: Any) -> None:
        self.episode_length = int(task.environment["episode_length"])
        policy, self.reinforce = make_reinforce(
            {**task.environment, "device": task.device},
            ReinforceConfig(seed=task.seed, **options),
            hidden_size=task.hidden_size,
            visual_3d_size=task.visual_3d_size,
            wrap=lambda env: EpisodeReports(env, task),
        )
        super().__init__(policy)

    def learn(self, total_steps: int) -> None:
        """Learn for as many whole episodes as the budget has."""
        episodes = max(total_steps // self.episode_length, 1)
        self.reinforce.config = replace(self.reinforce.config, episodes=episodes)
        self.reinforce.learn()
        self.reinforce.env.close()


class ParameterAgent(PolicyAgent):
    """REINFORCE over the parameters of a policy that reads a parser's evidence, as in the preset "rlld".

    It is paid twice the task's inter-reward (`rlld_agents.reinforce.reward_only.INTER_WEIGHT`); what it reports is
    the task's own return.

    Args:
        task: what to learn on.
    """

    def __init__(self, task: Task) -> None:
        environment = {**task.environment, "device": task.device}
        self.episode_length = int(environment["episode_length"])
        data = shared_tensors(environment["data"], task.device, environment.get("data_seed", 0))
        policy = evidence_policy(environment, data, task.hidden_size)
        env = EpisodeReports(paid_environment(environment), task)
        self.reinforce = Reinforce(policy, env, reward_only_config(seed=task.seed))
        super().__init__(policy)

    def learn(self, total_steps: int) -> None:
        """Learn for as many whole updates as the budget has.

        Raises:
            InputError: it has none.
        """
        update = 2 * self.reinforce.config.pairs
        updates = total_steps // (self.episode_length * update)
        if not updates:
            raise InputError(
                f"reinforce-parameters: {total_steps} environment steps, expected at least "
                f"{self.episode_length * update}, the {update} episodes of an update; raise --steps"
            )
        self.reinforce.config = replace(self.reinforce.config, episodes=updates * update)
        self.reinforce.learn()
        self.reinforce.env.close()


class StableBaselinesAgent(PolicyAgent):
    """An on-policy algorithm on the per-video environment, with index observations, paid by credit.

    Where the task's reward is the paper's, it is replaced by `PRICED_CREDIT`: credit says of every label of a video
    whether removing it helps; one validation score for all videos teaches none of them anything within the budget.

    Args:
        task: what to learn on.
        name: a key of `ON_POLICY`.
    """

    def __init__(self, task: Task, name: str) -> None:
        from rlld_agents.sb3 import PerVideoVecEnv  # noqa: PLC0415 (an extra)
        from rlld_agents.sb3.silent import log_nothing  # noqa: PLC0415

        self.task = task
        environment = {**task.environment, "device": task.device}
        self.num_videos = int(environment.pop("batch_size"))
        self.length = int(environment["episode_length"])
        if environment.get("reward", "paper") == "paper":
            environment |= PRICED_CREDIT
        self.env = PerVideoVecEnv(
            self.num_videos,
            observation="indices",
            time_feature=True,
            **environment,
        )
        self.env.seed(task.seed)
        algorithm, policy = _classes(name)
        network = {
            "data": environment["data"],
            "data_seed": environment.get("data_seed", 0),
            "hidden_size": task.hidden_size,
            "visual_3d_size": task.visual_3d_size,
            "initialized_labels": environment.get("initialized_labels", True),
        }
        self.model = algorithm(
            policy,
            self.env,
            n_steps=_quarter(self.length) if name == "a2c" else self.length,
            gamma=0.0,
            seed=task.seed,
            device=task.device,
            policy_kwargs=network,
            stats_window_size=self.num_videos,
            **_fitting(ON_POLICY[name], self.length * self.num_videos),
        )
        log_nothing(self.model)
        super().__init__(self.model.policy.actor_critic.policy)

    def learn(self, total_steps: int) -> None:
        """Learn; one environment step is a step of every video."""
        from rlld_agents.baselines.agents.callback import EpisodeCallback  # noqa: PLC0415 (an extra)

        callback = EpisodeCallback(self.task, self.num_videos)
        self.model.learn(total_steps * self.num_videos, callback=callback)
        self.env.close()


def _quarter(episode_length: int) -> int:
    """Return the longest rollout of which a whole number makes an episode, up to a quarter of it."""
    return next(n for n in range(max(1, episode_length // 4), 0, -1) if episode_length % n == 0)


def _fitting(options: Mapping[str, Any], rollout: int) -> dict[str, Any]:
    """Return options with a minibatch that is no larger than a rollout."""
    return {name: min(value, rollout) if name == "batch_size" else value for name, value in options.items()}


def _classes(name: str) -> tuple[Any, Any]:
    """Return algorithm and policy of a name."""
    import stable_baselines3  # noqa: PLC0415

    from rlld_agents import sb3  # noqa: PLC0415

    plain = sb3.HybridAttentionActorCriticPolicy
    if name in ("ppo", "a2c"):
        return {"ppo": stable_baselines3.PPO, "a2c": stable_baselines3.A2C}[name], plain
    import sb3_contrib  # noqa: PLC0415

    if name == "trpo":
        return sb3.SinglePassTRPO, plain
    return sb3_contrib.MaskablePPO, sb3.HybridAttentionMaskableActorCriticPolicy


AGENTS: Mapping[str, Callable[[Task], Agent]] = {
    "reinforce": ReinforceAgent,
    "reinforce-baseline": lambda task: ReinforceAgent(task, **BASELINE),
    "reinforce-parameters": ParameterAgent,
    "ppo": lambda task: StableBaselinesAgent(task, "ppo"),
    "a2c": lambda task: StableBaselinesAgent(task, "a2c"),
    "maskable-ppo": lambda task: StableBaselinesAgent(task, "maskable-ppo"),
    "trpo": lambda task: StableBaselinesAgent(task, "trpo"),
    "ppo-rates": lambda task: RatesAgent(task, "ppo"),
    "sac-rates": lambda task: RatesAgent(task, "sac"),
}
"""Bundled agents by name; the registry knows which library each needs."""
