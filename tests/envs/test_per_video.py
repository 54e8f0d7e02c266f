"""The per-video environment is the joint process, in the layout of vector environments."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import VectorEnv
from gymnasium.vector.utils import batch_space

from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.envs.rollouts import MODES, MODES_AND_VARIANTS, TINY, VARIANTS, make
from tests.envs.video_rollouts import episode, make_videos, masked_actions

STEP_REWARDS = ["inter_reward", "terminal_reward", "reward_audio", "reward_visual"]
COUNTS = ["n_removed_audio", "n_removed_visual", "n_reverted"]


@pytest.mark.parametrize(("mode", "arguments"), MODES_AND_VARIANTS)
def test_it_is_the_joint_process(arguments, mode):
    """Over two and a half episodes; observations, rewards, infos, ends and, at the end, the task network agree."""
    joint, videos = make(**arguments).unwrapped, make_videos(autoreset_mode=mode, **arguments)
    generator = np.random.default_rng(0)
    expected = joint.reset(seed=9)
    found = videos.reset(seed=9)
    assert_same_state(expected, found)
    for _ in range(8):
        actions = masked_actions(generator, found[1])
        observation, reward, terminated, _, info = joint.step(actions.reshape(joint.action_space.shape))
        found_observation, rewards, terminations, truncations, infos = videos.step(actions)
        assert rewards.dtype == np.float64
        assert rewards.mean() == pytest.approx(reward, rel=1e-12)
        assert terminations.tolist() == [terminated] * 4
        assert truncations.tolist() == [False] * 4
        step_infos = infos["final_info"] if terminated and mode == "SameStep" else infos
        assert_same_step(info, step_infos, rewards, joint.inter_factor)
        if not terminated:
            found = found_observation, infos
            assert_same_state((observation, info), found)
            continue
        expected = joint.reset()
        if mode == "NextStep":
            found_observation, rewards, terminations, _, infos = videos.step(actions)
            assert not rewards.any()
            assert not terminations.any()
        elif mode == "Disabled":
            found_observation, infos = videos.reset(options={"reset_mask": terminations})
        found = found_observation, infos
        assert_same_state(expected, found)
    assert plain(joint.get_state()) == plain(videos.get_state())


def plain(state):
    """Return a stored state with lists in place of tensors and arrays."""
    if isinstance(state, dict):
        return {key: plain(value) for key, value in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


def assert_same_state(joint, videos):
    (observation, info), (found, infos) = joint, videos
    assert set(found) == set(observation)
    for key, value in observation.items():
        expected = {"index": lambda v: v[:, None], "progress": lambda v: np.tile(v, (4, 1))}
        np.testing.assert_array_equal(found[key], expected.get(key, lambda v: v)(value))
        assert found[key].dtype == value.dtype
    np.testing.assert_array_equal(infos["indices"], info["indices"])
    np.testing.assert_array_equal(infos["action_mask"], info["action_mask"].reshape(4, -1))


def assert_same_step(info, infos, rewards, factor):
    assert {key for key in infos if not key.startswith("_")} == set(info)
    for name in STEP_REWARDS:
        assert infos[name].mean() == pytest.approx(info[name], rel=1e-12), name
    for name in COUNTS:
        assert infos[name].sum() == info[name], name
        assert infos[name].dtype == np.int64
    for name in set(SCORE_NAMES) & set(info):
        assert infos[name].tolist() == [info[name]] * 4
    for name in {"per_video_reward", "per_video_credit", "label_credit"} & set(info):
        np.testing.assert_array_equal(infos[name], info[name])
    if "class_contribution" in info:
        np.testing.assert_array_equal(infos["class_contribution"], [info["class_contribution"]] * 4)
    inter = info["per_video_reward"].astype(np.float64).mean(axis=1)
    earned = info["per_video_credit"].mean(axis=1, dtype=np.float64) if "per_video_credit" in info else 0
    np.testing.assert_allclose(
        rewards, factor * inter + earned + info["terminal_reward"], rtol=1e-12, atol=1e-15
    )
    np.testing.assert_array_equal(infos["inter_reward"], inter)


def test_a_video_is_paid_for_its_own_labels_only():
    videos = make_videos(inter_weights=(1.0, 0.0), inter_scale=1, episode_length=5)
    _, infos = videos.reset(seed=0)
    actions = np.zeros(videos.action_space.shape, np.int8)
    actions[1] = infos["action_mask"][1] == 2  # everything: labels come back
    actions[2, :25] = infos["action_mask"][2, :25] == 2  # all audio labels
    _, rewards, _, _, infos = videos.step(actions)
    assert rewards[0] == rewards[3] == pytest.approx(1)
    assert rewards[1] == -1
    assert infos["per_video_reward"][2, 1] == pytest.approx(1)
    assert rewards[2] == pytest.approx((infos["per_video_reward"][2, 0] + 1) / 2)
    assert 0 < rewards[2] < 1
    assert infos["n_reverted"].tolist() == [0, 1, 0, 0]
    assert infos["n_removed_audio"].tolist() == [0, 0, actions[2].sum(), 0]
    assert infos["n_removed_visual"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("arguments", VARIANTS)
def test_spaces(arguments):
    videos = make_videos(**arguments)
    assert videos.single_action_space == gym.spaces.MultiBinary(50)
    assert videos.action_space == batch_space(videos.single_action_space, 4)
    assert videos.observation_space == batch_space(videos.single_observation_space, 4)
    generator = np.random.default_rng(0)
    observation, infos = videos.reset(seed=0)
    for _ in range(5):
        assert observation in videos.observation_space
        for video in range(4):
            single = {key: value[video] for key, value in observation.items()}
            assert single in videos.single_observation_space
        actions = masked_actions(generator, infos).astype(np.int8)
        assert actions in videos.action_space
        observation, _, _, _, infos = videos.step(actions)


def test_shapes_of_both_observation_modes():
    assert {key: space.shape for key, space in make_videos().single_observation_space.items()} == {
        "audio": (10, TINY.audio_size + 25),
        "visual": (10, TINY.visual_2d_size + TINY.visual_3d_size + 25),
    }
    indices = make_videos(observation="indices", time_feature=True).single_observation_space
    assert {key: (space.shape, space.dtype.name) for key, space in indices.items()} == {
        "index": ((1,), "int64"),
        "labels_audio": ((25,), "int8"),
        "labels_visual": ((25,), "int8"),
        "progress": ((1,), "float32"),
    }


def test_infos_have_the_layout_of_gymnasium():
    """As `VectorEnv._add_info` merges what sub-environments would say."""
    infos = episode(make_videos(autoreset_mode="SameStep"))[-1]

    def of_video(infos, video):
        return {
            key: of_video(value, video) if isinstance(value, dict) else value[video]
            for key, value in infos.items()
            if not key.startswith("_")
        }

    merger, merged = VectorEnv(), {}
    merger.num_envs = 4
    for video in range(4):
        merged = merger._add_info(merged, of_video(infos, video), video)
    assert set(merged) == set(infos)
    assert data_equivalence(merged["final_info"], infos["final_info"], exact=True)
    for key in ("indices", "action_mask", "_final_obs", "_final_info"):
        assert data_equivalence(merged[key], infos[key], exact=True)


@pytest.mark.parametrize("mode", MODES)
def test_everything_handed_out_is_fresh(mode):
    videos = make_videos(autoreset_mode=mode)
    generator, handed_out = np.random.default_rng(0), []
    infos = videos.reset(seed=0)[1]
    for _ in range(5):
        actions = masked_actions(generator, infos)
        outcome = videos.step(actions)
        arrays = [*outcome[0].values(), *outcome[1:4], *outcome[4].values()]
        arrays = [array for array in arrays if isinstance(array, np.ndarray)]
        for number, array in enumerate(arrays):
            assert array.flags.writeable
            assert not np.shares_memory(array, actions)
            assert not any(np.shares_memory(array, other) for other in arrays[:number] + handed_out)
        handed_out, infos = handed_out + arrays, outcome[4]
        if outcome[2].all() and mode == "Disabled":
            infos = videos.reset()[1]


def test_joint_and_per_video_states_are_interchangeable():
    joint, videos = make().unwrapped, make_videos()
    joint.reset(seed=2)
    joint.step(np.zeros((4, 2, 25)))
    videos.set_state(joint.get_state())
    actions = np.random.default_rng(0).integers(0, 2, (4, 50))
    reward = joint.step(actions.reshape(4, 2, 25))[1]
    assert videos.step(actions)[1].mean() == pytest.approx(reward, rel=1e-12)
