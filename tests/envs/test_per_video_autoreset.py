"""What happens between the episodes of the per-video environment, in all three autoreset modes."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers.vector import NormalizeReward, RecordEpisodeStatistics

from rlld_gym.envs.per_video import PerVideoVectorEnv
from tests.envs.rollouts import MODES, make
from tests.envs.video_rollouts import episode, make_videos, masked_actions, run


def test_same_step_hands_out_the_end_and_the_beginning():
    joint = make(time_feature=True).unwrapped
    generator = np.random.default_rng(0)
    _, info = joint.reset(seed=0)
    for _ in range(3):
        actions = masked_actions(generator, info)
        final, _, _, _, info = joint.step(actions)
    observation, _, terminations, _, infos = episode(
        make_videos(time_feature=True, autoreset_mode="SameStep")
    )
    assert terminations.all()
    assert not observation["progress"].any()
    assert infos["final_obs"].shape == (4,)
    single = make_videos(time_feature=True).single_observation_space
    for video, last in enumerate(infos["final_obs"]):
        assert last in single
        assert last["progress"] == 1
        np.testing.assert_array_equal(last["visual"], final["visual"][video])
    assert infos["final_info"]["event_visual"].tolist() == [info["event_visual"]] * 4
    assert "event_visual" not in infos


@pytest.mark.parametrize("mode", MODES)
def test_seeds(mode):
    first, again = (run(make_videos(autoreset_mode=mode), seed=3) for _ in range(2))
    assert all(data_equivalence(a[0], b[0], exact=True) for a, b in zip(first, again, strict=True))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first[1:], again[1:], strict=True) if len(a) == 5)
    assert not np.array_equal(run(make_videos(autoreset_mode=mode), seed=4)[1][1], first[1][1])
    videos = make_videos()
    videos.reset(seed=3)
    assert videos.np_random_seed == 3
    assert videos.np_random is videos.np_random


@pytest.mark.parametrize("mode", MODES)
def test_gymnasium_wrappers_count_whole_episodes(mode):
    """Two episodes of three steps each: returns are sums of the rewards, lengths are 3."""
    if gym.__version__ < "1.4" and mode == "SameStep":
        pytest.skip("RecordEpisodeStatistics is wrong under SAME_STEP before Gymnasium 1.4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        videos = RecordEpisodeStatistics(make_videos(autoreset_mode=mode))
        outcomes = [outcome for outcome in run(videos, steps=7) if len(outcome) == 5]
    rewards = np.array([outcome[1] for outcome in outcomes])
    ends = [number for number, outcome in enumerate(outcomes) if outcome[2].all()]
    assert ends == ([2, 6] if mode == "NextStep" else [2, 5])
    for begin, end in zip((0, 4 if mode == "NextStep" else 3), ends, strict=True):
        statistics = outcomes[end][-1]["episode"]
        assert statistics["l"].tolist() == [3] * 4
        np.testing.assert_allclose(statistics["r"], rewards[begin : end + 1].sum(axis=0))
        if mode != "Disabled":  # there, the wrapper's reset() clears the array that it handed out
            assert outcomes[end][-1]["_episode"].all()
    assert videos.episode_count == 8


class Replay(gym.Env):
    """Pays given rewards, (episodes, steps)."""

    observation_space = gym.spaces.Box(0, 1, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(self, rewards):
        self.episodes = iter(rewards)

    def reset(self, *, seed=None, options=None):
        self.rewards = list(next(self.episodes))
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), self.rewards.pop(0), not self.rewards, False, {}


@pytest.mark.parametrize("mode", MODES)
def test_gymnasium_normalises_rewards_as_those_of_independent_copies(mode):
    paid = [outcome for outcome in run(make_videos(autoreset_mode=mode), steps=9) if len(outcome) == 5]
    ignored = [3, 7] if mode == "NextStep" else []
    rewards = np.array([outcome[1] for number, outcome in enumerate(paid) if number not in ignored])
    episodes = np.pad(rewards.T, ((0, 0), (0, 12 - len(rewards)))).reshape(4, 4, 3)
    copies = gym.vector.SyncVectorEnv(
        [lambda video=video: Replay(episodes[video]) for video in range(4)], autoreset_mode=mode
    )
    expected, found = (
        NormalizeReward(copies, gamma=0.5),
        NormalizeReward(make_videos(autoreset_mode=mode), 0.5),
    )
    expected.reset()
    normalised = [outcome[1] for outcome in run(found, steps=9) if len(outcome) == 5]
    for number, rewards in enumerate(normalised):
        _, reference, terminations, _, _ = expected.step(np.zeros(4, np.int64))
        np.testing.assert_allclose(rewards, reference, rtol=1e-6, err_msg=str(number))
        if mode == "Disabled" and terminations.all():
            expected.reset(options={"reset_mask": terminations})


@pytest.mark.parametrize(
    ("mask", "error"),
    [
        (np.array([True, True, True, False]), ValueError),
        (np.ones(3, np.bool_), ValueError),
        (np.ones(4), TypeError),
        ([True] * 4, TypeError),
    ],
)
def test_reset_masks_that_are_refused(mask, error):
    with pytest.raises(error, match="reset_mask"):
        make_videos(autoreset_mode="Disabled").reset(options={"reset_mask": mask})


@pytest.mark.parametrize("mode", MODES)
def test_steps_without_a_reset(mode):
    videos = make_videos(autoreset_mode=mode)
    with pytest.raises(ResetNeeded, match="before the first reset"):
        videos.step(videos.action_space.sample())
    episode(videos)
    if mode == "Disabled":
        with pytest.raises(ResetNeeded, match="after the last step"):
            videos.step(videos.action_space.sample())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steps", [0, 2, 3])
def test_a_stored_state_continues_exactly(mode, steps, tmp_path):
    videos = make_videos(autoreset_mode=mode)
    generator = np.random.default_rng(0)
    observation, infos = videos.reset(seed=5)
    for _ in range(steps):
        observation, _, _, _, infos = videos.step(masked_actions(generator, infos))
    torch.save(videos.get_state(), tmp_path / "state.pt")
    copy = make_videos(autoreset_mode=mode)
    found, found_infos = copy.set_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert data_equivalence(found, observation, exact=True)
    np.testing.assert_array_equal(found_infos["action_mask"], infos["action_mask"])
    for number in range(4):
        if mode == "Disabled" and (steps + number) % 3 == 0:
            expected, outcome = videos.reset(), copy.reset()
        else:
            actions = masked_actions(np.random.default_rng(number), infos)
            expected, outcome = videos.step(actions), copy.step(actions)
            np.testing.assert_array_equal(expected[1], outcome[1])
        assert data_equivalence(expected[0], outcome[0], exact=True)
        infos = expected[-1]


def test_the_default_is_the_papers_batch_and_next_step():
    videos = PerVideoVectorEnv(data="twin-tiny", observation="indices")
    assert videos.num_envs == 128
    assert videos.autoreset_mode is AutoresetMode.NEXT_STEP
