"""Small agents on the planted-noise environment, and what two runs are compared by."""

from typing import Any

import gymnasium
from torch import Tensor, nn

from rlld_agents import HybridAttentionPolicy, Reinforce, ReinforceConfig
from rlld_gym.envs.planted_noise import PlantedNoiseEnv

QUICK = ReinforceConfig(episodes=6, learning_rate=1e-2, checkpoint_every=2, seed=3)


def make_policy(env: gymnasium.Env[Any, Any], **options: Any) -> HybridAttentionPolicy:
    return HybridAttentionPolicy.for_spaces(
        env.observation_space, env.action_space, **({"hidden_size": 16} | options)
    )


def make_agent(config: ReinforceConfig = QUICK, **environment: Any) -> Reinforce:
    env = PlantedNoiseEnv(**environment)
    return Reinforce(make_policy(env), env, config)


def weights(agent: Reinforce) -> Tensor:
    return nn.utils.parameters_to_vector(agent.policy.parameters()).detach().cpu()


def without_clock(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{name: value for name, value in row.items() if name != "time/fps"} for row in rows]
