"""PPO of TorchRL on removal rates, without an adapter: one decision for an episode.

python examples/torchrl_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tensordict.nn import AddStateIndependentNormalScale, TensorDictModule, TensorDictSequential
from torch.distributions import Distribution, Independent, Normal
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper
from torchrl.modules import MLP, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12
EPOCHS = 10


def matrix_normal(loc: torch.Tensor, scale: torch.Tensor) -> Distribution:
    """Return independent Gaussians of the numbers of an action (2, C)."""
    return Independent(Normal(loc, scale), 2)


def main(episodes: int) -> None:
    """Learn and print the curve."""
    print(described(control_returns(**OPTIONS)), flush=True)
    torch.manual_seed(0)
    env = GymWrapper(gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **OPTIONS))
    size, shape = env.observation_spec["observation"].shape[0], tuple(env.action_spec.shape)
    options: dict[str, Any] = {"in_features": size, "num_cells": [64, 64], "activation_class": torch.nn.Tanh}
    mean = MLP(out_features=shape, **options)
    last = [layer for layer in mean if isinstance(layer, torch.nn.Linear)][-1]
    torch.nn.init.orthogonal_(last.weight, 0.01)
    torch.nn.init.zeros_(last.bias)
    scale = AddStateIndependentNormalScale(shape, scale_mapping="exp", init_value=float(np.log(0.3)))
    actor = ProbabilisticActor(
        TensorDictSequential(
            TensorDictModule(mean, ["observation"], ["mean"]),
            TensorDictModule(scale, ["mean"], ["loc", "scale"]),
        ),
        spec=env.action_spec,
        in_keys=["loc", "scale"],
        distribution_class=matrix_normal,
        return_log_prob=True,
        safe=False,
    )
    critic = ValueOperator(MLP(out_features=1, **options), in_keys=["observation"])
    loss_module = ClipPPOLoss(actor, critic, entropy_coeff=0.0, normalize_advantage=True)
    estimator = GAE(gamma=0.0, lmbda=1.0, value_network=critic)
    optimizer = torch.optim.Adam(loss_module.parameters(), 3e-3, eps=1e-5)
    env.set_seed(0)
    collector = Collector(env, actor, frames_per_batch=ROLLOUT, total_frames=episodes)
    for number, data in enumerate(collector, start=1):
        estimator(data)
        for _ in range(EPOCHS):
            losses = loss_module(data.reshape(-1))
            optimizer.zero_grad()
            (losses["loss_objective"] + losses["loss_critic"]).backward()
            torch.nn.utils.clip_grad_norm_(loss_module.parameters(), 0.5)
            optimizer.step()
        print(f"{number * ROLLOUT:4d} episodes: mean return {data['next', 'reward'].mean():.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240)
