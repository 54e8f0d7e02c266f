"""PPO in one file, in the style of CleanRL, on removal rates: one decision for an episode.

python examples/cleanrl_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions import Distribution, Independent, Normal

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12  # decisions per update
EPOCHS, CLIP = 10, 0.2


def network(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    """Return three layers whose weights begin orthogonal, the last of them scaled."""
    layers = nn.Linear(inputs, 64), nn.Linear(64, 64), nn.Linear(64, outputs)
    for layer, scale in zip(layers, (2**0.5, 2**0.5, gain), strict=True):
        nn.init.orthogonal_(layer.weight, scale)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


class Agent(nn.Module):
    """The mean of an action for each observation, and one standard deviation for each of its numbers."""

    def __init__(self, size: int, action_size: int) -> None:
        super().__init__()
        # Networks of their own: the value's first, large errors would drown what the policy learns.
        self.mean = network(size, action_size, gain=0.01)
        self.value = network(size, 1, gain=1.0)
        self.log_std = nn.Parameter(torch.full((action_size,), float(np.log(0.3))))

    def forward(self, observation: torch.Tensor) -> tuple[Distribution, torch.Tensor]:
        """Return the distribution of actions (N, A) and the values (N,) of observations (N, S)."""
        policy = Independent(Normal(self.mean(observation), self.log_std.exp()), 1)
        return policy, self.value(observation).squeeze(1)


def main(episodes: int) -> None:
    """Learn and print the curve."""
    print(described(control_returns(**OPTIONS)), flush=True)
    torch.manual_seed(0)
    env = gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **OPTIONS)
    agent = Agent(gym.spaces.flatdim(env.observation_space), gym.spaces.flatdim(env.action_space))
    optimizer = torch.optim.Adam(agent.parameters(), 3e-3, eps=1e-5)
    observation, _ = env.reset(seed=0)
    for done in range(ROLLOUT, episodes + 1, ROLLOUT):
        rows = []
        for _ in range(ROLLOUT):
            state = torch.tensor(observation)
            with torch.no_grad():
                action = agent(state[None])[0].sample()[0]
            rows.append((state, action, torch.tensor(float(env.step(action.numpy())[1]))))
            observation, _ = env.reset()
        states, actions, returns = (torch.stack(column) for column in zip(*rows, strict=True))
        print(f"{done:4d} episodes: mean return {returns.mean():.2f}", flush=True)
        with torch.no_grad():
            old, values = agent(states)
            old_log_probs, gains = old.log_prob(actions), returns - values
        gains = (gains - gains.mean()) / (gains.std() + 1e-8)
        for _ in range(EPOCHS):
            policy, values = agent(states)
            ratio = (policy.log_prob(actions) - old_log_probs).exp()
            surrogate = torch.min(ratio * gains, ratio.clamp(1 - CLIP, 1 + CLIP) * gains).mean()
            optimizer.zero_grad()
            (0.5 * (values - returns).square().mean() - surrogate).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimizer.step()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240)
