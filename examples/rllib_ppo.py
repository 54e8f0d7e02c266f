"""PPO of RLlib on the per-video environment or on the joint one, with any number of remote workers.

python examples/rllib_ppo.py [REMOTE_WORKERS]     (on a cluster that is running: set RAY_ADDRESS)
"""

import os
import sys
from typing import Any

import numpy as np
import ray
from ray.rllib.algorithms.ppo import PPO, PPOConfig

from rlld_agents.rllib import module_spec

JOINT = "rlld_gym:rlld/LabelDenoising-v0"
PER_VIDEO = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"


def make(
    env_id: str = PER_VIDEO,
    *,
    num_envs: int = 16,
    workers: int = 0,
    steps: int = 128,
    minibatch: int = 128,
    epochs: int = 4,
    learning_rate: float = 5e-3,
    gamma: float = 0.5,
    seed: int = 0,
    policy: dict[str, Any] | None = None,
    **environment: Any,
) -> PPO:
    """Return PPO; ``num_envs`` is the number of videos, or of copies of a joint environment, of each worker."""
    per_video = "PerVideo" in env_id
    config = PPOConfig().environment(env_id, env_config=environment, disable_env_checking=True)
    config = config.env_runners(
        num_env_runners=workers,
        num_envs_per_env_runner=num_envs,
        gym_env_vectorize_mode="vector_entry_point" if per_video else "sync",
        rollout_fragment_length="auto",
    )
    config = config.training(
        train_batch_size_per_learner=steps,
        minibatch_size=minibatch,
        num_epochs=epochs,
        lr=learning_rate,
        gamma=gamma,
        use_kl_loss=False,
        grad_clip=0.5,
        vf_loss_coeff=0.5,
    )
    spec = module_spec(seed=seed, **(policy or {}))
    return config.rl_module(rl_module_spec=spec).debugging(seed=seed, log_level="ERROR").build_algo()


def train(algorithm: PPO, iterations: int) -> list[float]:
    """Train; return and print the mean returns of the iterations' episodes."""
    returns = []
    for _ in range(iterations):
        runners = algorithm.train()["env_runners"]
        returns.append(float(runners.get("episode_return_mean", np.nan)))
        print(
            f"{runners['num_env_steps_sampled_lifetime']:7.0f} steps: mean return {returns[-1]:.3f}",
            flush=True,
        )
    return returns


if __name__ == "__main__":
    remote = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    local = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": 2 + remote, "include_dashboard": False}
    ray.init(log_to_driver=False, **local)
    options: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8, "observation": "indices"}
    options |= {"reward": "credit", "gamma": 0.0}
    ppo = make(**options, workers=remote, steps=128 * max(remote, 1), policy={"data": "twin-tiny"})
    train(ppo, 8)
    ppo.stop()
    ray.shutdown()
