"""PPO of skrl on removal rates, without an adapter: one decision for an episode.

python examples/skrl_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.models.torch import DeterministicMixin, GaussianMixin, Model
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed
from torch import nn

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Return two hidden layers and an output that is close to 0 at first."""
    last = nn.Linear(64, outputs)
    nn.init.orthogonal_(last.weight, 0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), last)


class Policy(GaussianMixin, Model):  # type: ignore[misc]
    """The mean of an action, and one standard deviation for each of its numbers."""

    def __init__(self, **spaces: Any) -> None:
        Model.__init__(self, **spaces)
        GaussianMixin.__init__(self, clip_actions=False)
        self.net = network(self.num_observations, self.num_actions)
        self.log_std_parameter = nn.Parameter(torch.full((self.num_actions,), float(np.log(0.3))))

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Return means and log standard deviations."""
        return self.net(inputs["observations"]), {"log_std": self.log_std_parameter}


class Value(DeterministicMixin, Model):  # type: ignore[misc]
    """The return to expect."""

    def __init__(self, **spaces: Any) -> None:
        Model.__init__(self, **spaces)
        DeterministicMixin.__init__(self)
        self.net = network(self.num_observations, 1)

    def compute(self, inputs: dict[str, Any], role: str = "") -> tuple[torch.Tensor, dict[str, Any]]:
        """Return values."""
        return self.net(inputs["observations"]), {}


def main(episodes: int) -> None:
    """Learn and print the curve."""
    print(described(control_returns(**OPTIONS)), flush=True)
    set_seed(0)
    recorded = gym.wrappers.RecordEpisodeStatistics(
        gym.make("rlld_gym:rlld/LabelDenoisingRates-v0", **OPTIONS), buffer_length=ROLLOUT
    )
    env = wrap_env(recorded)
    sizes = {
        "observation_space": env.observation_space,
        "action_space": env.action_space,
        "device": env.device,
    }
    agent = PPO(
        models={"policy": Policy(**sizes), "value": Value(**sizes)},
        memory=RandomMemory(memory_size=ROLLOUT, num_envs=1, device=env.device),
        cfg=PPO_CFG(
            rollouts=ROLLOUT,
            learning_epochs=10,
            mini_batches=1,
            discount_factor=0.0,
            learning_rate=3e-3,
            value_loss_scale=0.5,
            value_clip=0.0,
            experiment={"write_interval": 0, "checkpoint_interval": 0},
        ),
        **sizes,
    )
    options = {"timesteps": ROLLOUT, "disable_progressbar": True, "close_environment_at_exit": False}
    trainer = SequentialTrainer(env=env, agents=agent, cfg={**options, "headless": True})
    for done in range(ROLLOUT, episodes + 1, ROLLOUT):
        trainer.train()  # goes on where it stopped
        print(f"{done:4d} episodes: mean return {np.mean(recorded.return_queue):.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 240)
