"""PPO of skrl on removal rates, without an adapter: one decision for an episode.

python examples/skrl_rates.py [EPISODES]
"""

import sys
from typing import Any

import gymnasium as gym
import numpy as np
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed
from skrl.utils.model_instantiators.torch import deterministic_model, gaussian_model

from rlld_agents.labels.control_returns import control_returns, described

OPTIONS: dict[str, Any] = {"data": "twin-tiny", "episode_length": 8}
ROLLOUT = 12
NETWORK = [{"name": "net", "input": "OBSERVATIONS", "layers": [64, 64], "activations": "tanh"}]


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
        models={
            "policy": gaussian_model(
                network=NETWORK,
                output="ACTIONS",
                clip_actions=False,
                initial_log_std=float(np.log(0.3)),  # actions are within -1 and 1
                **sizes,
            ),
            "value": deterministic_model(network=NETWORK, output="ONE", **sizes),
        },
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
