"""Libraries' adapters hand the arguments of the environment on: rewards are those of credit."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

CREDIT = {
    "data": "twin-tiny",
    "episode_length": 2,
    "observation": "indices",
    "reward": "credit",
    "credit_videos": 16,
}
VIDEOS = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"
JOINT = "rlld_gym:rlld/LabelDenoising-v0"


def expected_rewards() -> np.ndarray[Any, Any]:
    """Return rewards (8,) of removing every second label that is there, from the seed 3, without a library."""
    envs = gym.make_vec(VIDEOS, num_envs=8, autoreset_mode="SameStep", **CREDIT)
    actions = bits(envs.reset(seed=3)[1]["action_mask"])
    _, rewards, _, _, infos = envs.step(actions)
    credit = infos["label_credit"].reshape(8, -1)
    really = actions & (infos["n_reverted"] == 0)[:, None]
    np.testing.assert_allclose(rewards, (credit * really).sum(axis=1) / 2, rtol=1e-5)
    assert np.count_nonzero(rewards) > 4
    return rewards


def bits(mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return every second of the open bits, in the shape of the mask."""
    flat = mask.reshape(-1) == 2
    return (flat & (np.cumsum(flat) % 2 == 0)).reshape(mask.shape)


def test_stable_baselines3() -> None:
    pytest.importorskip("stable_baselines3")
    from rlld_agents.sb3 import PerVideoVecEnv  # noqa: PLC0415

    envs = PerVideoVecEnv(8, **CREDIT)
    envs.seed(3)
    envs.reset()
    rewards = envs.step(bits(2 * envs.action_masks().reshape(8, -1, 2)[:, :, 1]))[1]
    np.testing.assert_allclose(rewards, expected_rewards(), rtol=1e-6)


def test_tianshou() -> None:
    pytest.importorskip("tianshou")
    from rlld_agents.tianshou import PerVideoEnvs  # noqa: PLC0415

    envs = PerVideoEnvs(gym.make_vec(VIDEOS, num_envs=8, autoreset_mode="Disabled", **CREDIT))
    infos = envs.reset(seed=3)[1]
    _, rewards, _, _, infos = envs.step(bits(np.stack([info["action_mask"] for info in infos])))
    np.testing.assert_allclose(rewards, expected_rewards())
    assert all(info["label_credit"].shape == (2, 25) for info in infos)


def test_skrl() -> None:
    pytest.importorskip("skrl")
    import torch  # noqa: PLC0415

    from rlld_agents.skrl import wrap  # noqa: PLC0415

    envs = wrap(gym.make_vec(VIDEOS, num_envs=8, autoreset_mode="SameStep", **CREDIT))
    envs._env.reset(seed=3)
    mask = envs._env.unwrapped._shown.reshape(8, -1)
    rewards = envs.step(torch.from_numpy(bits(mask)).long())[1]
    np.testing.assert_allclose(rewards.flatten().cpu().numpy(), expected_rewards(), rtol=1e-6)


def test_torchrl() -> None:
    pytest.importorskip("torchrl")
    import torch  # noqa: PLC0415

    from rlld_agents.torchrl import JointEnv  # noqa: PLC0415

    env = JointEnv(gym.make(JOINT, batch_size=8, **CREDIT))
    env.set_seed(3)
    state = env.reset()
    mask = 2 * state["action_mask"].numpy()
    action = bits(mask).astype(np.int8)
    outcome = env.step(state.set("action", torch.from_numpy(action)))["next"]
    assert outcome["reward"].item() == pytest.approx(expected_rewards().mean(), rel=1e-5)
    assert outcome["info", "terminal_reward"].item() == 0
