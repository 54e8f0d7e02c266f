"""Environment, policy and REINFORCE put together as published (RLLD, arXiv 2412.19563)."""

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium

from rlld_agents.policies.hybrid import HybridAttentionPolicy
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_gym.environment_ids import LABEL_DENOISING

Environment = gymnasium.Env[Any, Any]


def published_start(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of the environment with a new parser in each episode, as published.

    The environment's own default is a parser that has seen the weak labels; a file that is named stays.
    """
    start = environment.get("task_start", "pretrained")
    return {**environment, "task_start": "fresh" if start == "pretrained" else start}


def make_reinforce(
    environment: Mapping[str, Any],
    config: ReinforceConfig,
    *,
    hidden_size: int,
    visual_3d_size: int,
    initial_removal: float = 0.2,
    wrap: Callable[[Environment], Environment] = lambda env: env,
) -> tuple[HybridAttentionPolicy, Reinforce]:
    """Return a new policy, and REINFORCE that is ready to train it in a new environment.

    Args:
        environment: arguments of rlld/LabelDenoising-v0, with the ``device`` of all networks.
        config: of REINFORCE; its seed is also the policy's.
        hidden_size: width of the policy.
        visual_3d_size: how many of the visual features, the last ones, are 3D features.
        initial_removal: probability with which the untrained policy removes a label.
        wrap: what to put around the environment.
    """
    env = gymnasium.make(LABEL_DENOISING, **environment)
    policy = HybridAttentionPolicy.for_spaces(
        env.observation_space,
        env.action_space,
        seed=config.seed,
        hidden_size=hidden_size,
        visual_3d_size=visual_3d_size,
        initial_removal=initial_removal,
        initialized_labels=environment.get("initialized_labels", True),
    ).to(environment["device"])
    return policy, Reinforce(policy, wrap(env), config)
