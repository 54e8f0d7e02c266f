"""PPO in one file, in the style of CleanRL, on the per-video environment; needs torch and Gymnasium only.

python examples/cleanrl_ppo.py
"""

from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import torch
from torch.distributions import Bernoulli, Independent

from rlld_agents.policies.actor_critic import HybridAttentionActorCritic
from rlld_agents.policies.files import save_policy


@dataclass
class Args:
    """Options; ``tyro.cli(Args)`` would make a command line of them."""

    env_id: str = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"
    env_options: dict[str, Any] = field(default_factory=lambda: {"data": "twin-tiny", "episode_length": 8})
    num_envs: int = 16  # videos of a batch
    episodes: int = 12
    epochs: int = 4  # passes over an episode, all of it in one batch
    learning_rate: float = 5e-3
    gamma: float = 0.5  # low, because a place in the batch shows another video in every step
    gae_lambda: float = 0.95
    clip: float = 0.2
    seed: int = 0
    save: str | None = None  # file for the trained policy, which `rlld denoise` reads


def train(args: Args) -> tuple[HybridAttentionActorCritic, list[float]]:
    """Train; return the model and the mean return over the videos of each episode."""
    torch.manual_seed(args.seed)
    envs: Any = gym.make_vec(args.env_id, args.num_envs, autoreset_mode="SameStep", **args.env_options)
    envs, data = gym.wrappers.vector.RecordEpisodeStatistics(envs), args.env_options.get("data")
    spaces = envs.single_observation_space, envs.single_action_space
    model = HybridAttentionActorCritic.for_spaces(*spaces, data=data, seed=args.seed)
    optimizer = torch.optim.Adam(model.parameters(), args.learning_rate)
    arrays, curve = envs.reset(seed=args.seed)[0], list[float]()
    for episode in range(1, args.episodes + 1):
        observations, steps = [], []
        while len(curve) < episode:  # all videos end together, so a rollout is an episode of each of them
            observations.append({key: torch.tensor(array) for key, array in arrays.items()})
            with torch.no_grad():
                logits, values = model(observations[-1])
            policy: Any = Independent(Bernoulli(logits=logits), 1)
            actions = policy.sample()
            arrays, rewards, _, _, infos = envs.step(actions.to(torch.int8).numpy())
            steps.append((actions, policy.log_prob(actions), values, torch.tensor(rewards).float()))
            if "_episode" in infos:  # arrays are the next episode's first observation already
                curve.append(float(infos["episode"]["r"][infos["_episode"]].mean()))
        print(f"{episode * len(steps) * args.num_envs:5d} steps: mean return {curve[-1]:.3f}", flush=True)
        actions, old_log_probs, values, rewards = (torch.stack(column) for column in zip(*steps, strict=True))
        advantages, next_values = torch.zeros(len(steps) + 1, args.num_envs), torch.zeros(args.num_envs)
        for i in reversed(range(len(steps))):  # generalized advantage estimation; nothing follows an episode
            next_gain = args.gamma * (next_values + args.gae_lambda * advantages[i + 1])
            advantages[i], next_values = rewards[i] + next_gain - values[i], values[i]
        targets = advantages[:-1] + values
        gains = (advantages[:-1] - advantages[:-1].mean()) / advantages[:-1].std()
        batch = {key: torch.stack([step[key] for step in observations]) for key in arrays}
        for _ in range(args.epochs):
            logits, values = model(batch)
            policy = Independent(Bernoulli(logits=logits), 1)
            ratio = (policy.log_prob(actions) - old_log_probs).exp()
            clipped = ratio.clamp(1 - args.clip, 1 + args.clip)
            loss = 0.5 * (values - targets).square().mean() - torch.min(ratio * gains, clipped * gains).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
    if args.save:
        save_policy(model.policy, args.save)
    return model, curve


if __name__ == "__main__":
    train(Args(env_options={**Args().env_options, "reward": "credit"}, gamma=0.0))
