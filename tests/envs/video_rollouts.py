"""Small per-video environments and rollouts in them."""

import numpy as np
from gymnasium.vector import AutoresetMode

from rlld_gym.envs.per_video import PerVideoVectorEnv
from tests.envs.rollouts import SMALL


def make_videos(**arguments) -> PerVideoVectorEnv:
    arguments = {**SMALL, **arguments}
    return PerVideoVectorEnv(arguments.pop("batch_size"), **arguments)


def masked_actions(generator, infos):
    return (infos["action_mask"] == 2) & (generator.random(infos["action_mask"].shape) < 0.5)


def episode(videos, seed=0):
    """Return the outcome of the last step of an episode."""
    generator = np.random.default_rng(seed)
    _, infos = videos.reset(seed=seed)
    for _ in range(3):
        outcome = videos.step(masked_actions(generator, infos))
        infos = outcome[-1]
    return outcome


def run(videos, steps=8, seed=0):
    """Return what is handed out over some steps, and reset where that is the caller's task."""
    generator = np.random.default_rng(seed)
    outcomes = [videos.reset(seed=seed)]
    for _ in range(steps):
        outcomes.append(videos.step(masked_actions(generator, outcomes[-1][-1])))
        if outcomes[-1][2].all() and videos.metadata["autoreset_mode"] == AutoresetMode.DISABLED:
            outcomes.append(videos.reset(options={"reset_mask": np.ones(4, np.bool_)}))
    return outcomes
