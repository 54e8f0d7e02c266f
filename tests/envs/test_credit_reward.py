"""Both environments when they pay for the credit of removed labels."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.envs.rollouts import ID, SMALL, make, rollout
from tests.envs.video_rollouts import make_videos, masked_actions

KINDS = ["credit", "paper+credit"]
PER_VIDEO = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"


@pytest.mark.parametrize("kind", KINDS)
def test_info_gains_two_keys_at_every_step(kind):
    steps = [[outcome[-1] for outcome in rollout(make(reward=r), 3, seed=0)[:4]] for r in ("paper", kind)]
    for plain, paid in zip(*steps, strict=True):
        added = set(paid) - set(plain)
        assert set(plain) <= set(paid)
        assert added == (set() if plain is steps[0][0] else {"label_credit", "per_video_credit"})
    assert set(SCORE_NAMES) <= set(steps[1][-1])
    for info in steps[1][1:]:
        assert info["label_credit"].shape == (4, 2, 25)
        assert info["label_credit"].dtype == np.float32


@pytest.mark.parametrize("kind", KINDS)
def test_rewards_are_the_means_that_the_documentation_says(kind):
    env = make(batch_size=16, reward=kind, credit_scale=2.0, task_lifespan="run")
    videos = make_videos(batch_size=16, reward=kind, credit_scale=2.0, task_lifespan="run")
    info, infos = env.reset(seed=0)[1], videos.reset(seed=0)[1]
    env.action_space.seed(1)
    terminated, reverted_ever = False, False
    while not terminated:
        shown = info["action_mask"] == 2
        action = env.action_space.sample(mask=info["action_mask"])
        _, reward, terminated, _, info = env.step(action)
        _, rewards, _, _, infos = videos.step(action.reshape(16, -1))
        reverted = ~(shown & (action == 0)).any(axis=(1, 2))
        reverted_ever |= reverted.any()
        removed = shown & (action == 1) & ~reverted[:, None, None]
        assert not info["label_credit"][~shown].any()
        assert info["label_credit"][shown].all()
        earned = 2 * np.where(removed, info["label_credit"].astype(np.float64), 0).sum(axis=2)
        np.testing.assert_allclose(info["per_video_credit"], earned, rtol=1e-5, atol=1e-6)
        similarity = info["per_video_reward"].astype(np.float64)
        assert (similarity[reverted] == -1).all()
        assert 0 < similarity[~reverted].min() <= similarity[~reverted].max() <= 1 + 1e-5
        if kind == "credit":
            assert info["terminal_reward"] == 0.0
        else:
            expected = (0.1 * info["segment_audio"] + 0.1 * info["event_visual"]) / 2 if terminated else 0
            assert info["terminal_reward"] == pytest.approx(expected)
        assert reward == pytest.approx((info["reward_audio"] + info["reward_visual"]) / 2)
        paid = info["per_video_credit"].astype(np.float64)
        if kind == "paper+credit":
            paid = paid + similarity / 3  # steps of an episode
        assert info["inter_reward"] == pytest.approx(similarity.mean())
        assert reward == pytest.approx(paid.mean() + info["terminal_reward"])
        assert rewards.mean() == pytest.approx(reward, rel=1e-12)
        np.testing.assert_allclose(
            rewards, paid.mean(axis=1) + info["terminal_reward"], rtol=1e-9, atol=1e-12
        )
        np.testing.assert_array_equal(infos["label_credit"], info["label_credit"])
        assert infos["_label_credit"].all()
    assert reverted_ever


def test_the_reward_is_what_removing_one_by_one_would_say():
    """Credit does not depend on the action: known from one future, it predicts the rewards of all others."""
    env = make(batch_size=16, episode_length=2, reward="credit").unwrapped
    mask = env.reset(seed=0)[1]["action_mask"]
    state = env.get_state()
    credit = env.step(np.zeros(mask.shape))[-1]["label_credit"]
    env.set_state(state)
    best = env.step(credit > 0)
    kept = best[-1]["n_reverted"]
    np.testing.assert_array_equal(best[-1]["label_credit"], credit)
    emptied = ((credit > 0) == (mask == 2)).all(axis=(1, 2))
    assert kept == emptied.sum()
    assert best[1] == pytest.approx(np.where(credit > 0, credit, 0)[~emptied].sum() / 32, rel=1e-5)
    for seed in range(3):
        env.set_state(state)
        env.action_space.seed(seed)
        action = env.action_space.sample(mask=mask)
        action[emptied] = 0
        assert env.step(action)[1] < best[1]


def test_the_fewer_validation_videos_the_noisier():
    """Fewer than all are drawn anew each time; all and more than all are the same."""

    def first(**arguments):
        return rollout(make(reward="credit", **arguments), 1, seed=0)[1][-1]["label_credit"]

    assert np.array_equal(first(credit_videos=320), first(credit_videos=100_000))
    few, many = (np.abs(first(credit_videos=n) - first(credit_videos=320)).mean() for n in (2, 300))
    assert 0 < many < few


@pytest.mark.parametrize("kind", KINDS)
def test_no_warning_from_making_to_learning(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(ID, reward=kind, **SMALL)
        rollout(env, 4, seed=0)
        arguments = {key: value for key, value in SMALL.items() if key != "batch_size"}
        videos = gym.make_vec(PER_VIDEO, num_envs=4, autoreset_mode="SameStep", reward=kind, **arguments)
        infos = videos.reset(seed=0)[1]
        for _ in range(3):
            infos = videos.step(masked_actions(np.random.default_rng(0), infos))[-1]
    # The last step's credit is with the last step; the new episode's first infos have none.
    assert infos["final_info"]["label_credit"].shape == (4, 2, 25)
    assert "label_credit" not in infos
    assert videos.metadata["autoreset_mode"] is gym.vector.AutoresetMode.SAME_STEP
    assert videos.spec.kwargs["reward"] == kind


def test_copies_in_one_process():
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode="sync", reward="credit", **SMALL)
    envs.reset(seed=0)
    infos = envs.step(envs.action_space.sample())[-1]
    assert infos["label_credit"].shape == (2, 4, 2, 25)
    assert not data_equivalence(infos["label_credit"][0], infos["label_credit"][1], exact=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reward": "advantage"}, "reward is 'advantage'; expected one of paper, credit, paper.credit"),
        ({"reward": ["credit"]}, r"reward is \['credit'\]"),
        ({"credit_loss": "segment"}, "expected one of segment_f1, segment_bce, video_bce"),
        ({"credit_videos": 0}, "credit_videos is 0; expected an integer of at least 1"),
        ({"credit_videos": "all"}, "credit_videos is 'all'"),
        ({"credit_scale": float("inf")}, "credit_scale is inf; expected a finite number"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    for make_it in (make, make_videos, lambda **kw: LabelDenoisingEnv(**{**SMALL, **kw})):
        with pytest.raises(InputError, match=message):
            make_it(**arguments)
