"""PPO of Tianshou on removal rates, without an adapter: one decision for an episode.

python examples/tianshou_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm import PPO
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic, ContinuousCritic
from tianshou.utils.torch_utils import policy_within_training_step
from torch.distributions import Distribution, Independent, Normal

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12
EPOCHS = 10


def gaussian(parameters: tuple[torch.Tensor, torch.Tensor]) -> Distribution:
    """Return independent Gaussians of the numbers of an action."""
    return Independent(Normal(*parameters), 1)


def main(episodes: int) -> None:
    """Learn and print the curve."""
    print(described(control_returns(**OPTIONS)), flush=True)
    np.random.seed(0)  # noqa: NPY002 (Tianshou draws from the global generators)
    torch.manual_seed(0)
    envs = DummyVectorEnv([lambda: gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **OPTIONS)])
    state_shape, size = envs.observation_space[0].shape, int(np.prod(envs.action_space[0].shape))
    networks = [
        Net(state_shape=state_shape, hidden_sizes=[64, 64], activation=torch.nn.Tanh) for _ in range(2)
    ]
    actor = ContinuousActorProbabilistic(preprocess_net=networks[0], action_shape=(size,), unbounded=True)
    torch.nn.init.constant_(actor.sigma_param, float(np.log(0.3)))
    torch.nn.init.orthogonal_(actor.mu.model[-1].weight, 0.01)
    torch.nn.init.zeros_(actor.mu.model[-1].bias)
    policy = ProbabilisticActorPolicy(
        actor=actor,
        dist_fn=gaussian,
        action_space=gym.spaces.Box(-1, 1, (size,), np.float32),  # flat actions are taken, too
        action_scaling=False,
        action_bound_method=None,
    )
    ppo = PPO(
        policy=policy,
        critic=ContinuousCritic(preprocess_net=networks[1]),
        optim=AdamOptimizerFactory(lr=3e-3),
        gamma=0.0,
        ent_coef=0.0,
        max_grad_norm=0.5,
        advantage_normalization=True,
    )
    collector = Collector(ppo, envs, VectorReplayBuffer(ROLLOUT, 1))
    envs.seed(0)
    collector.reset()
    for done in range(ROLLOUT, episodes + 1, ROLLOUT):
        with policy_within_training_step(policy):
            collected = collector.collect(n_step=ROLLOUT)
            ppo.update(collector.buffer, batch_size=None, repeat=EPOCHS)
        collector.reset_buffer(keep_statistics=True)
        print(f"{done:4d} episodes: mean return {np.mean(collected.returns):.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240)
