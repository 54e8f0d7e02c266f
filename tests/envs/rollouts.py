"""Small environments and rollouts in them."""

import gymnasium as gym
import pytest

from rlld_gym.data.twins.scales import TWIN_SCALES

ID = "rlld_gym:rlld/LabelDenoising-v0"
SMALL = {"data": "twin-tiny", "batch_size": 4, "episode_length": 3, "hidden_size": 8, "recipe": "compact"}
TINY = TWIN_SCALES["tiny"]
VARIANTS = [
    {},
    {"observation": "indices", "time_feature": True},
    {"initialized_labels": False, "time_feature": True},
    {"observation": "indices", "initialized_labels": False},
    {"task_lifespan": "run", "overlap_labels": "revised", "empty_rule": "modality", "terminal_every": 2},
    {"task_start": "fresh", "inter_scale": 1},
    {"evidence": "start", "observation": "indices", "task_start_epochs": 1},
    {"evidence": "current", "task_lifespan": "run", "initialized_labels": False},
    {"reward": "credit", "credit_videos": 16, "credit_loss": "video_bce"},
    {"reward": "paper+credit", "credit_videos": 9999, "task_lifespan": "run", "overlap_labels": "revised"},
]

MODES = ["NextStep", "SameStep", "Disabled"]
MODES_AND_VARIANTS = [
    pytest.param(
        mode,
        variant,
        marks=[pytest.mark.long] if number and number % 3 != place else [],
        id=f"{mode}-{variant}",
    )
    for number, variant in enumerate(VARIANTS)
    for place, mode in enumerate(MODES)
]
"""Every way to reset with every variant; those that are not long: all with the defaults, then one in turn."""


def make(**arguments):
    return gym.make(ID, disable_env_checker=True, **{**SMALL, **arguments})


def rollout(env, steps, seed=None, action_seed=0):
    """Return everything that an environment hands out over some steps, resetting where episodes end."""
    env.action_space.seed(action_seed)
    outcomes = [env.reset(seed=seed)]
    for _ in range(steps):
        outcome = env.step(env.action_space.sample(mask=outcomes[-1][-1]["action_mask"]))
        outcomes.append(outcome)
        if outcome[2] or outcome[3]:
            outcomes.append(env.reset())
    return outcomes
