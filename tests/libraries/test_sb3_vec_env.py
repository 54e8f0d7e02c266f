"""The videos of a batch as environments of Stable-Baselines3."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

from rlld_agents.sb3 import HybridAttentionActorCriticPolicy, PerVideoVecEnv
from rlld_gym.parsing.metrics import SCORE_NAMES

TINY = {"data": "twin-tiny", "episode_length": 3}
PLANTED = "rlld_gym:rlld/PlantedNoisePerVideo-v0"


def make_envs(num_envs: int = 8, **arguments: Any) -> PerVideoVecEnv:
    return PerVideoVecEnv(num_envs, **{**TINY, **arguments})


def random_actions(envs: Any, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    pairs = np.stack(envs.env_method("action_masks")).reshape(envs.num_envs, -1, 2)
    return (pairs[:, :, 1] & (generator.random(pairs.shape[:2]) < 0.5)).astype(np.float32)


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key])


@pytest.mark.parametrize("observation", ["features", "indices"])
def test_steps_are_those_of_the_vector_environment(observation: str) -> None:
    envs = make_envs(observation=observation)
    twin = gym.make_vec(
        "rlld_gym:rlld/LabelDenoisingPerVideo-v0",
        num_envs=8,
        autoreset_mode="SameStep",
        observation=observation,
        **TINY,
    )
    envs.seed(3)
    seen = envs.reset()
    expected, _ = twin.reset(seed=3)
    generator = np.random.default_rng(0)
    for step in range(1, 8):
        assert_equal(seen, expected)
        actions = random_actions(envs, generator)
        seen, rewards, dones, infos = envs.step(actions)
        expected, twin_rewards, ended, _, twin_infos = twin.step(actions)
        np.testing.assert_allclose(rewards, twin_rewards, rtol=1e-6)
        assert rewards.dtype == np.float32
        np.testing.assert_array_equal(dones, ended)
        assert dones.all() == (step % 3 == 0)
        last = twin_infos["final_info"] if dones.all() else twin_infos
        for key in ("reward_audio", "inter_reward", "n_removed_visual", "indices", "terminal_reward"):
            assert [info[key] for info in infos] == last[key].tolist()


def test_only_the_last_step_has_terminal_observations_and_scores() -> None:
    envs = make_envs()
    generator = np.random.default_rng(0)
    envs.reset()
    for step in range(1, 4):
        observation, _, _, infos = envs.step(random_actions(envs, generator))
        for info in infos:
            assert info["TimeLimit.truncated"] is False
            assert ("terminal_observation" in info) == (step == 3)
            assert (SCORE_NAMES[0] in info) == (step == 3)
    last = infos[5]["terminal_observation"]
    assert envs.observation_space.contains(last)
    assert not np.array_equal(last["audio"], observation["audio"][5])
    assert last["audio"].base is not None  # a view, no copy
    assert all(isinstance(info[name], float) for info in infos for name in SCORE_NAMES)
    assert set(envs.reset_infos[0]) == {"indices"}


def test_masks_are_pairs_of_the_current_labels() -> None:
    envs = make_envs()
    with pytest.raises(RuntimeError, match="reset"):
        envs.action_masks()
    assert envs.has_attr("action_masks")
    observation = envs.reset()
    generator = np.random.default_rng(1)
    for _ in range(4):  # beyond the end of an episode
        labels = np.concatenate(
            (observation["audio"][:, 0, -25:], observation["visual"][:, 0, -25:]), axis=1
        ).astype(bool)
        masks = np.stack(envs.env_method("action_masks")).reshape(8, 50, 2)
        assert masks[:, :, 0].all()
        np.testing.assert_array_equal(masks[:, :, 1], labels)
        observation, *_ = envs.step(random_actions(envs, generator))
    np.testing.assert_array_equal(envs.env_method("action_masks", indices=[2])[0], envs.action_masks()[2])


def test_seeds_repeat_and_are_used_once() -> None:
    envs = make_envs()
    assert envs.seed(5) == [5] * 8
    first = envs.reset()
    other = envs.reset()
    assert not np.array_equal(first["audio"], other["audio"])
    envs.seed(5)
    assert_equal(envs.reset(), first)


def test_states_restore_observations_and_masks() -> None:
    envs = make_envs()
    envs.reset()
    (state,) = envs.env_method("get_state", indices=0)
    actions = random_actions(envs, np.random.default_rng(0))
    mask = envs.action_masks()
    expected = envs.step(actions)
    envs.step(np.zeros_like(actions))
    envs.set_state(state)
    np.testing.assert_array_equal(envs.action_masks(), mask)
    again = envs.step(actions)
    assert_equal(again[0], expected[0])
    np.testing.assert_array_equal(again[1], expected[1])


def test_attributes_belong_to_all_videos() -> None:
    envs = make_envs(render_mode="ansi")
    assert envs.get_attr("render_mode", indices=[0, 1]) == ["ansi", "ansi"]
    assert envs.env_is_wrapped(Monitor) == [False] * 8
    assert not envs.has_attr("no_such_thing")
    with pytest.raises(ValueError, match="some videos only"):
        envs.set_attr("note", 1, indices=[0])
    envs.set_attr("note", 1)
    assert envs.get_attr("note") == [1] * 8


def test_renders_the_batch_once() -> None:
    envs = make_envs(render_mode="rgb_array")
    envs.reset()
    picture = envs.render()
    twin = gym.make("rlld_gym:rlld/LabelDenoising-v0", batch_size=8, render_mode="rgb_array", **TINY)
    twin.reset()
    assert picture.shape == np.asarray(twin.render()).shape
    with pytest.warns(UserWarning, match="render_mode"):
        assert make_envs().render() is None


def test_one_video_is_enough() -> None:
    assert make_envs(1).reset()["audio"].shape[0] == 1


def test_other_environments_are_refused() -> None:
    with pytest.raises(TypeError):
        PerVideoVecEnv(2, id="CartPole-v1")


def test_monitor_records_every_video() -> None:
    envs = VecMonitor(make_envs(), info_keywords=("segment_audio", "n_reverted"))
    envs.reset()
    generator = np.random.default_rng(0)
    paid = np.zeros(8)
    for _ in range(3):
        _, rewards, _, infos = envs.step(random_actions(envs, generator))
        paid += rewards
    for info, total in zip(infos, paid, strict=True):
        assert info["episode"]["r"] == pytest.approx(total, rel=1e-5)
        assert info["episode"]["l"] == 3
        assert info["episode"]["segment_audio"] == info["segment_audio"]


def test_reward_normalization_leaves_observations_alone() -> None:
    envs = VecNormalize(make_envs(observation="indices"), norm_obs=False, gamma=0.9)
    plain = make_envs(observation="indices")
    for each in (envs, plain):
        each.seed(0)
    assert_equal(envs.reset(), plain.reset())
    generator = np.random.default_rng(0)
    for _ in range(4):
        actions = random_actions(envs, generator)
        seen, rewards, _, _ = envs.step(actions)
        expected, paid, _, _ = plain.step(actions)
        assert_equal(seen, expected)
        ratio = envs.ret_rms.var + envs.epsilon
        np.testing.assert_allclose(rewards, np.clip(paid / np.sqrt(ratio), -10, 10), rtol=1e-4)


def test_evaluation_callback_finds_the_best_model(tmp_path: Path) -> None:
    envs, other = (VecMonitor(PerVideoVecEnv(8, id=PLANTED)) for _ in range(2))
    model = PPO(
        HybridAttentionActorCriticPolicy,
        envs,
        n_steps=8,
        batch_size=64,
        seed=0,
        policy_kwargs={"hidden_size": 8},
    )
    callback = EvalCallback(
        other,
        n_eval_episodes=8,
        eval_freq=8,
        best_model_save_path=str(tmp_path),
        log_path=str(tmp_path),
        verbose=0,
    )
    model.learn(128, callback=callback)
    scores = np.load(tmp_path / "evaluations.npz")
    assert scores["results"].shape == (2, 8)
    assert callback.best_mean_reward == scores["results"].mean(axis=1).max()
    best = PPO.load(tmp_path / "best_model.zip", env=envs)
    assert best.num_timesteps in (64, 128)


def test_tensorboard_gets_the_mean_return_of_the_videos(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: PLC0415

    envs = VecMonitor(PerVideoVecEnv(8, id=PLANTED))
    model = A2C(
        HybridAttentionActorCriticPolicy,
        envs,
        n_steps=4,
        stats_window_size=8,
        tensorboard_log=str(tmp_path),
        policy_kwargs={"hidden_size": 8},
    )
    model.learn(32, log_interval=1)
    events = EventAccumulator(str(tmp_path / "A2C_1"))
    events.Reload()
    (mean,) = events.Scalars("rollout/ep_rew_mean")
    assert mean.step == 32
    returns = [episode["r"] for episode in model.ep_info_buffer]
    assert len(returns) == 8
    assert mean.value == pytest.approx(np.mean(returns), rel=1e-5)
