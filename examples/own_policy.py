"""Train a policy of your own with the bundled REINFORCE: one logit per modality and class, blind to the features.

    python examples/own_policy.py

Such a policy can only learn how often each class is noise. ``Reinforce`` takes any module that maps the
observation's ``audio`` and ``visual`` to removal logits (B, 2, C).
"""

import gymnasium as gym
import torch
from torch import Tensor, nn

from rlld_agents import Reinforce, ReinforceConfig
from rlld_gym.data import CLASSES


class ClassRates(nn.Module):
    """The same removal logit for a class in every video."""

    def __init__(self, num_classes: int, initial_removal: float = 0.2) -> None:
        super().__init__()
        logit = torch.logit(torch.tensor(initial_removal))
        self.logits = nn.Parameter(torch.full((2, num_classes), float(logit)))

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Return (B, 2, C) for observations (B, T, Da + C) and (B, T, Dv + C)."""
        return self.logits.expand(len(audio), -1, -1)


def main() -> None:
    """Train for a few episodes on the tiny twin and show the removal probabilities of some classes."""
    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", episode_length=8)
    policy = ClassRates(len(CLASSES))
    config = ReinforceConfig(episodes=5, learning_rate=0.05, baseline="ema", reward_to_go=True)
    Reinforce(policy, env, config).learn(
        callback=lambda row: print(f"episode {row['episode']:.0f}: return {row['rollout/ep_rew_mean']:.2f}")
    )
    probability = torch.sigmoid(policy.logits.detach())
    print("removal probability      audio  visual")
    for index in (0, 2, 3):
        print(f"{CLASSES[index]:23s}  {probability[0, index]:.3f}  {probability[1, index]:.3f}")
    env.close()


if __name__ == "__main__":
    main()
