"""PPO of TorchRL on the per-video environment, or on copies of the joint one.

python examples/torchrl_ppo.py
"""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from gymnasium import spaces
from torchrl.collectors import Collector
from torchrl.envs import EnvBase, GymWrapper, RewardSum, SerialEnv, TransformedEnv
from torchrl.modules import ProbabilisticActor
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

from rlld_agents.torchrl import JointEnv, make_policy

Spaces = tuple[spaces.Space[Any], spaces.Space[Any]]


def per_video(env_id: str = "rlld/LabelDenoisingPerVideo-v0", **options: Any) -> tuple[EnvBase, Spaces]:
    """Return the videos of one batch as a batched environment, and the spaces of one video."""
    envs = gym.make_vec(f"rlld_gym:{env_id}", autoreset_mode="Disabled", **options)
    return GymWrapper(envs), (envs.single_observation_space, envs.single_action_space)


def joint(env_id: str = "rlld/LabelDenoising-v0", copies: int = 2, **options: Any) -> tuple[EnvBase, Spaces]:
    """Return independent copies of the joint environment, and its spaces."""
    make: Callable[[], Any] = lambda: JointEnv(gym.make(f"rlld_gym:{env_id}", **options))  # noqa: E731
    one = make()
    return SerialEnv(copies, make), (one.observation_space, one.action_space)


def train(
    env: EnvBase,
    env_spaces: Spaces,
    *,
    iterations: int = 12,
    steps: int = 8,
    learning_rate: float = 5e-3,
    gamma: float = 0.5,
    epochs: int = 4,
    seed: int = 0,
    **options: Any,
) -> tuple[ProbabilisticActor, list[float]]:
    """Train with ``steps`` of every environment in each iteration; return the actor and the mean returns."""
    torch.manual_seed(seed)
    actor, critic = make_policy(*env_spaces, seed=seed, **options)
    loss_module = ClipPPOLoss(actor, critic, entropy_coeff=0.0, normalize_advantage=True)
    estimator = GAE(gamma=gamma, lmbda=0.95, value_network=critic)
    optimizer = torch.optim.Adam(loss_module.parameters(), lr=learning_rate)
    frames = steps * env.batch_size.numel()
    # Before the collector is made, whose own set_seed comes too late for the first episode.
    env.set_seed(seed)
    env = TransformedEnv(env, RewardSum())
    collector = Collector(
        env,
        actor,
        frames_per_batch=frames,
        total_frames=iterations * frames,
        auto_register_policy_transforms=False,
    )
    returns: list[float] = []
    for data in collector:
        estimator(data)
        for _ in range(epochs):
            losses = loss_module(data.reshape(-1))
            optimizer.zero_grad()
            (losses["loss_objective"] + losses["loss_critic"]).backward()
            torch.nn.utils.clip_grad_norm_(loss_module.parameters(), 0.5)
            optimizer.step()
        returns.append(data["next", "episode_reward"][data["next", "done"]].mean().item())
        print(f"{len(returns) * frames:6d} steps: mean return {returns[-1]:.3f}", flush=True)
    return actor, returns


if __name__ == "__main__":
    train(*per_video(num_envs=16, data="twin-tiny", episode_length=8, reward="credit"), gamma=0.0)
