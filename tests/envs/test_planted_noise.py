"""The sanity task: its checker, its known best policy, and the two views of it."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from rlld_gym.envs.planted_noise import PlantedNoiseEnv
from rlld_gym.errors import InputError


def test_gymnasium_accepts_it() -> None:
    check_env(gym.make("rlld_gym:rlld/PlantedNoise-v0").unwrapped, skip_render_check=True)


def play(env: PlantedNoiseEnv, episodes: int, rule: str) -> float:
    """Return the mean return of a policy that is allowed to look behind the scenes."""
    total = 0.0
    for episode in range(episodes):
        env.reset(seed=episode)
        done = False
        while not done:
            action = {"best": env.noise, "worst": ~env.noise, "keep": np.zeros_like(env.noise)}[rule]
            _, reward, done, _, _ = env.step(action.astype(np.int8))
            total += reward
    return total / episodes


def test_the_best_policy_earns_the_best_return_and_the_opposite_the_worst() -> None:
    env = PlantedNoiseEnv(batch_size=16, num_classes=5, episode_length=3)
    assert play(env, 5, "best") == env.best_return == 3
    assert play(env, 5, "worst") == -3
    assert play(env, 50, "keep") == pytest.approx(3 * 0.2, abs=0.15)


def test_features_tell_noise_from_clean_labels() -> None:
    env = PlantedNoiseEnv(batch_size=64)
    observation, info = env.reset(seed=0)
    for branch, name in enumerate(("audio", "visual")):
        features, labels = np.split(observation[name], 2, axis=2)
        assert (labels[:, 0].astype(bool) == (info["action_mask"][:, branch] == 2)).all()
        assert ((features.mean(1) > 0) == env.noise[:, branch]).all()


def test_a_video_that_loses_everything_is_penalised() -> None:
    env = PlantedNoiseEnv(batch_size=2)
    env.reset(seed=0)
    action = np.zeros(env.size, np.int8)
    action[0] = 1
    info = env.step(action)[4]
    assert info["per_video_reward"][0].tolist() == [-1, -1]
    assert (info["n_removed_audio"], info["n_removed_visual"], info["n_reverted"]) == (0, 0, 1)


def test_it_must_be_reset_and_its_sizes_must_make_sense() -> None:
    env = PlantedNoiseEnv(episode_length=1)
    action = np.zeros(env.size, np.int8)
    with pytest.raises(ResetNeeded):
        env.step(action)
    env.reset(seed=0)
    env.step(action)
    with pytest.raises(ResetNeeded):
        env.step(action)
    with pytest.raises(InputError, match="num_classes"):
        PlantedNoiseEnv(num_classes=0)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_per_video_view_is_the_same_task(mode: AutoresetMode) -> None:
    sizes = {"num_classes": 4, "episode_length": 3}
    envs = gym.make_vec("rlld_gym:rlld/PlantedNoisePerVideo-v0", num_envs=8, autoreset_mode=mode, **sizes)
    env = PlantedNoiseEnv(batch_size=8, **sizes)
    views, infos = envs.reset(seed=5)
    observation, _ = env.reset(seed=5)
    for step in range(3):
        assert (views["audio"] == observation["audio"]).all()
        action = (infos["action_mask"] == 2) & (np.random.default_rng(step).random((8, 8)) < 0.5)
        views, rewards, terminations, _, infos = envs.step(action.astype(np.int8))
        observation, reward, terminated, _, info = env.step(action.reshape(8, 2, 4).astype(np.int8))
        final = infos.get("final_info", infos)
        assert rewards.mean() == pytest.approx(reward, abs=1e-6)
        assert terminations.all() == terminated
        assert final["n_removed_audio"].sum() == info["n_removed_audio"]
        assert final["n_reverted"].sum() >= info["n_reverted"]


def test_a_stored_state_goes_on_as_before() -> None:
    envs = gym.make_vec("rlld_gym:rlld/PlantedNoisePerVideo-v0", num_envs=4).unwrapped
    envs.reset(seed=0)
    keep = np.zeros((4, 6), np.int8)
    envs.step(keep)
    state = envs.get_state()
    expected = envs.step(keep)
    other = gym.make_vec("rlld_gym:rlld/PlantedNoisePerVideo-v0", num_envs=4).unwrapped
    other.reset(seed=1)
    other.set_state(state)
    found = other.step(keep)
    assert (found[0]["visual"] == expected[0]["visual"]).all()
    assert (found[1] == expected[1]).all()
