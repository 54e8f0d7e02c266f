"""Removal rates as actions: the environment under the usual checkers, and against bits computed naively."""

import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence

from rlld_gym.data.catalog import open_data
from rlld_gym.denoising.training_evidence import TrainingEvidence, label_ranks
from rlld_gym.envs.class_statistics import class_statistics
from rlld_gym.envs.rates import FIXED, LabelDenoisingRatesEnv
from rlld_gym.envs.removal_rates import RemovalRates, removal_shares
from rlld_gym.errors import InputError
from tests.envs.rollouts import SMALL
from tests.envs.rollouts import make as make_joint

ID = "rlld_gym:rlld/LabelDenoisingRates-v0"
KEEP = -np.ones((2, 25), np.float32)
VARIANTS = [
    {},
    {"decide_every": 2, "terminal_every": 2},
    {"task_lifespan": "run", "empty_rule": "modality", "middle_shares": (0.1, 0.3)},
    {"reward": "credit", "credit_videos": 16, "decide_every": 1},
]


def make(**arguments):
    return gym.make(ID, disable_env_checker=True, **{**SMALL, **arguments})


def play(env, decisions, seed=None):
    """Return everything that is handed out."""
    env.action_space.seed(0)
    outcomes = [env.reset(seed=seed)]
    for _ in range(decisions):
        outcomes.append(env.step(env.action_space.sample()))
        if outcomes[-1][2]:
            outcomes.append(env.reset())
    return outcomes


@pytest.fixture(scope="module")
def known():
    """What the starting parser says of the training labels."""
    env = make_joint(observation="indices")
    env.reset(seed=0)
    return env.unwrapped.training_evidence()


@pytest.mark.parametrize("arguments", VARIANTS)
def test_gymnasium_check_env_without_any_warning(arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(make(**arguments).unwrapped)
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.sb3
def test_stable_baselines3_check_env():
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(make().unwrapped, warn=True)


@pytest.mark.parametrize("arguments", VARIANTS)
def test_equal_seeds_give_equal_rollouts(arguments):
    env = make(**arguments)
    first = play(env, 3, seed=1)
    assert data_equivalence(first, play(env, 3, seed=1), exact=True)
    assert data_equivalence(first, play(make(**arguments), 3, seed=1), exact=True)
    assert not data_equivalence(first, play(env, 3, seed=2), exact=True)


def test_a_decision_pays_what_the_joint_environment_pays_for_the_same_labels(known):
    env, joint = make(), make_joint(observation="indices")
    action = np.random.default_rng(0).uniform(-1, 1, (2, 25))
    env.reset(seed=3)
    _, reward, terminated, truncated, info = env.step(action)
    assert (terminated, truncated, info["n_steps"]) == (True, False, 3)

    shares = ((1 + action) / 2) ** (np.log([[0.05], [0.2]]) / np.log(0.5))
    _, about = joint.reset(seed=3)
    rewards, removed = [], 0
    for _ in range(3):
        bits = np.zeros((4, 2, 25), int)
        for row, video in enumerate(about["indices"]):
            for modality, label in np.ndindex(2, 25):
                others = known.evidence[known.labels[:, label], modality, label]
                rank = (others < known.evidence[video, modality, label]).mean() + 0.5 / max(len(others), 1)
                bits[row, modality, label] = rank < shares[modality, label]
        _, paid, over, _, about = joint.step(bits)
        rewards.append(paid)
        removed += about["n_removed_visual"]
    assert over
    assert reward == sum(rewards)
    assert info["n_removed_visual"] == removed > 0
    assert info["event_visual"] == about["event_visual"]
    np.testing.assert_array_equal(info["class_contribution"], about["class_contribution"])
    np.testing.assert_allclose(info["removed_share"], shares, rtol=1e-5)
    assert "action_mask" not in info


def test_shares_rise_from_none_over_the_middle_to_all():
    ends = [removal_shares(np.full((2, 1), value)) for value in (-7, -1, 0, 1, 7)]
    np.testing.assert_allclose(np.squeeze(ends).T, [[0, 0, 0.05, 1, 1], [0, 0, 0.2, 1, 1]], rtol=1e-6)
    grid = np.linspace(-1, 1, 50)
    shares = removal_shares(np.stack((grid, grid)), (0.3, 0.01))
    assert (np.diff(shares, axis=1) > 0).all()


def test_ranks_count_labels_of_the_class_only_and_take_ties_in_order():
    labels = np.array([[1, 0], [0, 1], [1, 1], [1, 0]], bool)
    evidence = np.zeros((4, 2, 2), np.float32)
    evidence[:, 1, 0] = [3, -9, 1, 2]
    ranks = label_ranks(TrainingEvidence(labels, evidence))
    infinite = np.inf
    np.testing.assert_allclose(ranks[:, 0, 0], [1 / 6, infinite, 3 / 6, 5 / 6], rtol=1e-6)
    np.testing.assert_allclose(ranks[:, 1, 0], [5 / 6, infinite, 1 / 6, 3 / 6], rtol=1e-6)
    np.testing.assert_allclose(ranks[:, 1, 1], [infinite, 1 / 4, 3 / 4, infinite], rtol=1e-6)


def test_the_observation_says_what_it_promises(known):
    env = make(decide_every=2)
    observation, _ = env.reset(seed=0)
    parts = observation[:-1].reshape(2, 25, 5)
    number = known.labels[:, 3].sum()
    np.testing.assert_allclose(parts[:, 3, 0], np.log(1 + number) / np.log(1 + len(known.labels)), rtol=1e-5)
    median = np.median(known.evidence[known.labels[:, 3], 1, 3])
    np.testing.assert_allclose(parts[1, 3, 2], median / 14, rtol=1e-5)
    assert not parts[:, :, 4].any()
    assert observation[-1] == 0
    middle, _, terminated, _, _ = env.step(KEEP)
    assert not terminated
    assert middle[-1] == pytest.approx(2 / 3)
    last, _, terminated, _, info = env.step(KEEP)
    assert terminated
    contributions = last[:-1].reshape(2, 25, 5)[:, :, 4]
    np.testing.assert_allclose(contributions, info["class_contribution"] / 100, rtol=1e-5)
    assert contributions.any()
    np.testing.assert_array_equal(env.reset()[0][:-1], last[:-1])
    np.testing.assert_array_equal(env.reset(seed=0)[0], observation)


def test_a_class_without_labels_has_zeros(known):
    labels = known.labels.copy()
    labels[:, 4] = False
    statistics = class_statistics(TrainingEvidence(labels, known.evidence))
    assert not statistics[:, 4].any()
    assert statistics[:, 3].all()
    assert not np.isfinite(label_ranks(TrainingEvidence(labels, known.evidence))[:, :, 4]).any()


def test_labels_that_are_left_are_those_of_the_rates():
    env = make()
    env.reset(seed=0)
    weak = open_data("twin-tiny").split("train").labels
    np.testing.assert_array_equal(env.unwrapped.remaining_labels(KEEP), np.stack((weak, weak), axis=1))
    action = KEEP.copy()
    action[1] = 0
    left = env.unwrapped.remaining_labels(action)
    np.testing.assert_array_equal(left[:, 0], weak)
    removed = weak.sum(axis=0) - left[:, 1].sum(axis=0)
    np.testing.assert_allclose(removed, 0.2 * weak.sum(axis=0), atol=1)
    # All labels of all videos would go: they come back.
    np.testing.assert_array_equal(env.unwrapped.remaining_labels(-KEEP), np.stack((weak, weak), axis=1))


@pytest.mark.parametrize("decided", [0, 1, 2])
def test_a_stored_state_goes_on_as_if_nothing_had_happened(decided, tmp_path):
    arguments = {"decide_every": 2, "task_lifespan": "run"}
    env, other = make(**arguments).unwrapped, make(**arguments).unwrapped
    env.reset(seed=0)
    for _ in range(decided):
        env.step(KEEP)
    torch.save(env.get_state(), tmp_path / "state.pt")
    other.set_state(torch.load(tmp_path / "state.pt", weights_only=True))
    outcomes = [
        ([] if decided == 2 else [one.step(KEEP) for _ in range(2 - decided)], play(one, 2))
        for one in (env, other)
    ]
    assert data_equivalence(*outcomes, exact=True)


def test_spec_and_pickle_make_the_same_environment():
    env = make(decide_every=2, middle_shares=(0.1, 0.4))
    again = gym.make(EnvSpec.from_json(env.spec.to_json()), disable_env_checker=True)
    copied = pickle.loads(pickle.dumps(env.unwrapped))
    expected = play(env, 2, seed=4)
    assert data_equivalence(expected, play(again, 2, seed=4), exact=True)
    assert data_equivalence(expected, play(copied, 2, seed=4), exact=True)


@pytest.mark.parametrize("mode", ["sync", pytest.param("async", marks=pytest.mark.long)])
def test_vector_environments_run_independent_copies(mode):
    options = {"vector_kwargs": {"context": "forkserver"}} if mode == "async" else {}
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode=mode, **options, **SMALL)
    try:
        envs.reset(seed=5)
        _, rewards, terminated, _, infos = envs.step(np.stack((KEEP, 0 * KEEP)))
    finally:
        envs.close()
    assert terminated.all()
    assert infos["class_contribution"].shape == (2, 2, 25)
    for seed, action, reward in zip((5, 6), (KEEP, 0 * KEEP), rewards, strict=True):
        env = make()
        env.reset(seed=seed)
        assert env.step(action)[1] == pytest.approx(reward, rel=1e-6)


def test_flat_actions_are_taken_and_wrong_ones_refused():
    env = make()
    with pytest.raises(ResetNeeded):
        env.unwrapped.step(KEEP)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"shape \(2, 24\)"):
        env.step(KEEP[:, :24])
    with pytest.raises(ValueError, match="not finite"):
        env.step(KEEP * np.nan)
    env.step(KEEP.ravel())
    with pytest.raises(ResetNeeded):
        env.unwrapped.step(KEEP)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"observation": "features"}, "observation"),
        ({"task_start": "fresh"}, "fresh"),
        ({"decide_every": 0}, "steps is 0"),
        ({"middle_shares": (0.0, 0.5)}, "middle_shares"),
        ({"middle_shares": 0.5}, "middle_shares"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, named):
    with pytest.raises(InputError, match=named):
        LabelDenoisingRatesEnv("twin-tiny", **arguments)


def test_an_unknown_argument_is_answered_with_those_that_this_environment_takes():
    with pytest.raises(TypeError, match=r"LabelDenoisingRatesEnv got .* 'episode_lenght'") as refused:
        LabelDenoisingRatesEnv("twin-tiny", episode_lenght=2)
    listed = str(refused.value).partition("expected some of ")[2].split(", ")
    assert {"data", "decide_every", "middle_shares", "episode_length"} <= set(listed)
    assert len(listed) == len(set(listed))
    for refusal in FIXED:
        assert refusal not in listed


def test_a_stranger_state_or_environment_is_refused():
    with pytest.raises(InputError, match="get_state"):
        make().unwrapped.set_state({"format": 1})
    with pytest.raises(TypeError, match="LabelDenoising-v0"):
        RemovalRates(gym.make("rlld_gym:rlld/PlantedNoise-v0"))


def test_rendering_shows_the_last_step_of_the_task_network():
    env = make(render_mode="ansi")
    env.reset(seed=0)
    env.step(KEEP)
    assert "3" in env.render()
