"""Reinforcement in the environment that goes on with a policy which has imitated."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import gymnasium

from rlld_agents.imitation.joint import FineTune
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.reinforce.reinforce import Reinforce, ReinforceConfig
from rlld_gym.environment_ids import LABEL_DENOISING
from rlld_gym.parsing.networks import TaskNetwork

EPISODE_LENGTH = 32
WARM_UP_EPISODES = 2
"""Episodes that the task network trains before the policy learns: the credit of a new network says little."""


def fine_tune(
    policy: RemovalPolicy,
    environment: Mapping[str, Any],
    *,
    advantage: Literal["label", "video", "episode"] = "label",
    reward: Literal["credit", "paper"] = "credit",
    episodes: int,
    learning_rate: float = 1e-4,
    kl_coefficient: float = 1.0,
    seed: int,
    callback: Callable[[dict[str, float]], None] | None = None,
) -> RemovalPolicy:
    """Let REINFORCE go on with a policy, in place, pulled to where it started.

    With credit the policy is updated after every step, against the reward that it expects; one task network goes
    on from episode to episode. With the paper's reward (RLLD, arXiv 2412.19563) the policy is updated after every
    episode, against a moving average, and each episode has a new task network.

    Args:
        policy: trained in place.
        environment: arguments of rlld/LabelDenoising-v0: data set, recipe, width, device.
        advantage: which action bits share a reward; "episode" is the paper's scalar.
        reward: of the environment.
        episodes: of `EPISODE_LENGTH` steps each.
        learning_rate: Adam's.
        kl_coefficient: weight of the divergence from the policy as it came.
        seed: of videos, actions and task network.
        callback: gets the row that is logged of every episode.

    Returns:
        The policy.

    Raises:
        InputError: the environment cannot be made, as without dense labels of the validation videos.
    """
    scalar = advantage == "episode"
    env = gymnasium.make(
        LABEL_DENOISING,
        **environment,
        episode_length=EPISODE_LENGTH,
        reward=reward,
        task_lifespan="episode" if reward == "paper" else "run",
    )
    config = ReinforceConfig(
        episodes=episodes,
        learning_rate=learning_rate,
        advantage=advantage,
        baseline="ema" if scalar else "expected",
        kl_coefficient=kl_coefficient,
        update_every=None if scalar else 1,
        warm_up_steps=0 if scalar else min(WARM_UP_EPISODES, episodes - 1) * EPISODE_LENGTH,
        seed=seed,
    )
    try:
        Reinforce(policy, env, config).learn(callback=callback)
    finally:
        env.close()
    return policy


def credit_after_rounds(environment: Mapping[str, Any], *, episodes: int, seed: int) -> FineTune | None:
    """Return what lets each round of the joint loop go on with credit per label; None for no episodes.

    Args:
        environment: as `fine_tune` takes it.
        episodes: in each round.
        seed: of the first round; the next one counts on.
    """
    if not episodes:
        return None

    def reinforce(policy: RemovalPolicy, _: TaskNetwork, number: int) -> RemovalPolicy:
        return fine_tune(policy, environment, episodes=episodes, seed=seed + number - 1)

    return reinforce
