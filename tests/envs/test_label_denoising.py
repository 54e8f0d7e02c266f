"""The environment under Gymnasium's and Stable-Baselines3's own checks, and its promises to users."""

import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env, data_equivalence

from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.envs.rollouts import ID, SMALL, TINY, VARIANTS, make, rollout


@pytest.mark.parametrize("arguments", VARIANTS)
def test_gymnasium_check_env_without_any_warning(arguments):
    env = make(**arguments)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env.unwrapped)
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize("fence", [torch.no_grad, torch.inference_mode])
def test_the_task_network_learns_also_where_the_caller_switched_gradients_off(fence):
    expected = rollout(make(), 3, seed=0)
    with fence():
        found = rollout(make(), 3, seed=0)
    assert data_equivalence(expected, found, exact=True)


@pytest.mark.sb3
@pytest.mark.parametrize("arguments", VARIANTS)
def test_stable_baselines3_check_env(arguments):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        # Sub-spaces of three dimensions "look like an image"; theirs are videos, segments and features.
        warnings.filterwarnings("ignore", message=".*(image|normalize|CnnPolicy|CNN|channel).*")
        warnings.simplefilter("error", category=DeprecationWarning)
        checker.check_env(make(**arguments).unwrapped, warn=True)


@pytest.mark.parametrize("arguments", VARIANTS)
def test_equal_seeds_give_equal_rollouts(arguments):
    first, second = (rollout(make(**arguments), steps=8, seed=123) for _ in range(2))
    assert data_equivalence(first, second, exact=True)
    other = rollout(make(**arguments), steps=8, seed=124)
    assert not data_equivalence(first, other, exact=True)


@pytest.mark.parametrize("task_lifespan", ["episode", "run"])
def test_a_seeded_reset_restores_everything(task_lifespan):
    env = make(task_lifespan=task_lifespan)
    first = rollout(env, steps=5, seed=7)
    assert data_equivalence(first, rollout(env, steps=5, seed=7), exact=True)


def test_observations_lie_in_their_space_with_these_shapes():
    observation, info = make(time_feature=True).reset(seed=0)
    assert {key: value.shape for key, value in observation.items()} == {
        "audio": (4, 10, TINY.audio_size + 25),
        "visual": (4, 10, TINY.visual_2d_size + TINY.visual_3d_size + 25),
        "progress": (1,),
    }
    mask = info["action_mask"]
    for branch, name in enumerate(("audio", "visual")):
        labels = observation[name][:, :, -25:]
        np.testing.assert_array_equal(labels, np.repeat(mask[:, None, branch] == 2, 10, axis=1))
    without, _ = make(initialized_labels=False).reset(seed=0)
    np.testing.assert_array_equal(without["audio"], observation["audio"][..., :-25])
    np.testing.assert_array_equal(without["visual"], observation["visual"][..., :-25])
    indices, info = make(observation="indices").reset(seed=0)
    np.testing.assert_array_equal(indices["labels_audio"], mask[:, 0] == 2)
    np.testing.assert_array_equal(indices["index"], info["indices"])
    assert {key: (value.shape, value.dtype.name) for key, value in indices.items()} == {
        "index": ((4,), "int64"),
        "labels_audio": ((4, 25), "int8"),
        "labels_visual": ((4, 25), "int8"),
    }


@pytest.mark.parametrize("arguments", VARIANTS)
def test_everything_handed_out_lies_in_the_space_and_is_fresh(arguments):
    env = make(**arguments)
    handed_out = []
    for outcome in rollout(env, steps=5, seed=0):
        assert outcome[0] in env.observation_space
        arrays = [value for part in (outcome[0], outcome[-1]) for value in part.values()]
        arrays = [value for value in arrays if isinstance(value, np.ndarray)]
        for array in arrays:
            assert array.flags.writeable
            assert not any(np.shares_memory(array, other) for other in handed_out)
            handed_out.append(array)
    expected = rollout(make(**arguments), steps=5, seed=0)
    for outcome in rollout(env, steps=5, seed=0):
        for value in outcome[0].values():
            value[...] = 0  # what a caller does to its arrays must not reach the environment
    assert data_equivalence(expected, rollout(env, steps=5, seed=0), exact=True)


def test_episode_end_and_progress():
    env = make(time_feature=True)
    outcomes = rollout(env, steps=3, seed=0)[1:-1]
    assert [outcome[2] for outcome in outcomes] == [False, False, True]
    assert [outcome[3] for outcome in outcomes] == [False, False, False]
    np.testing.assert_allclose([outcome[0]["progress"][0] for outcome in outcomes], [1 / 3, 2 / 3, 1])


@pytest.mark.parametrize("scale", [None, 1, 0.5])
def test_rewards_are_the_means_that_the_documentation_says(scale):
    env = make(batch_size=16, terminal_scale=0.3, **({} if scale is None else {"inter_scale": scale}))
    factor = 1 / 3 if scale is None else scale
    info = env.reset(seed=0)[1]
    env.action_space.seed(1)
    terminated = False
    while not terminated:
        mask = info["action_mask"]
        action = env.action_space.sample(mask=mask)
        _, reward, terminated, _, info = env.step(action)
        removed = (mask == 2) & (action == 1)
        reverted = ~((mask == 2) & (action == 0)).any(axis=(1, 2))
        assert info["n_reverted"] == reverted.sum()
        np.testing.assert_array_equal(info["per_video_reward"] == -1, np.stack([reverted, reverted], axis=1))
        assert info["n_removed_audio"] == removed[~reverted, 0].sum()
        assert info["n_removed_visual"] == removed[~reverted, 1].sum()
        inter = info["per_video_reward"].astype(np.float64).mean(axis=0)
        terminal = [0.0, 0.0]
        if terminated:
            terminal = [0.3 * info["segment_audio"], 0.3 * info["event_visual"]]
        assert info["reward_audio"] == pytest.approx(factor * inter[0] + terminal[0])
        assert info["reward_visual"] == pytest.approx(factor * inter[1] + terminal[1])
        assert info["inter_reward"] == pytest.approx(inter.mean())
        assert info["terminal_reward"] == pytest.approx(np.mean(terminal))
        assert reward == pytest.approx((info["reward_audio"] + info["reward_visual"]) / 2)
        assert isinstance(reward, float)


def documented_keys(heading):
    """Return the back-quoted names in the first column of the tables of one section of the documentation."""
    section = LabelDenoisingEnv.__doc__.split(f"## {heading}")[1].split("\n    ## ")[0]
    rows = [line.split("|")[1].strip() for line in section.splitlines() if line.strip().startswith("| `")]
    return [row.strip("`") for row in rows]


def test_info_has_exactly_the_documented_keys():
    env = make()
    first, *steps = [outcome[-1] for outcome in rollout(env, steps=3, seed=0)[:4]]
    keys = documented_keys("Info")
    state_keys, step_keys = keys[:2], keys[2:]
    assert list(first) == state_keys
    for info in steps[:-1]:
        assert set(info) == {*state_keys, *step_keys}
    assert set(steps[-1]) == {*state_keys, *step_keys, *SCORE_NAMES, "class_contribution"}
    contribution = steps[-1].pop("class_contribution")
    assert (contribution.shape, contribution.dtype.name) == ((2, 25), "float32")
    for name in (*SCORE_NAMES, "class_contribution"):
        assert f"`{name}`" in LabelDenoisingEnv.__doc__
        assert name == "class_contribution" or type(steps[-1][name]) is float
    for info in steps:
        assert {name for name, value in info.items() if isinstance(value, np.ndarray)} == {
            "per_video_reward",
            "indices",
            "action_mask",
        }


def test_every_argument_is_documented_with_its_default():
    import inspect  # noqa: PLC0415

    parameters = inspect.signature(LabelDenoisingEnv).parameters
    section = LabelDenoisingEnv.__doc__.split("## Arguments")[1]
    rows = [line.split("|") for line in section.splitlines() if line.strip().startswith("| `")]
    defaults = {row[1].strip().strip("`"): row[2].strip().strip("`") for row in rows}
    assert list(defaults) == list(parameters)
    for name, parameter in parameters.items():
        assert eval(defaults[name]) == parameter.default


def test_the_process_gets_every_option():
    options = {
        "batch_size": 5, "overlap": 0.5, "episode_length": 2, "subset": 0.7, "hidden_size": 9,
        "task_lifespan": "run", "inter_weights": (0.1, 0.9), "terminal_scale": 2.0, "terminal_every": 1,
        "empty_rule": "modality", "overlap_labels": "revised", "reward": "credit", "credit_loss": "video_bce",
        "credit_videos": 7, "credit_scale": 0.1, "inter_scale": 0.7, "task_start_epochs": 2,
    }  # fmt: skip
    config = make(**options).unwrapped._config
    assert config == ProcessConfig(recipe=config.recipe, **options)
    assert config.recipe.name == "compact"


def test_spec_survives_json_and_pickle():
    env = gym.make(ID, **SMALL)
    copy = EnvSpec.from_json(env.spec.to_json())
    assert copy == env.spec
    assert pickle.loads(pickle.dumps(env.spec)) == env.spec
    assert data_equivalence(rollout(gym.make(copy), 4, seed=3), rollout(env, 4, seed=3), exact=True)


def test_pickle_keeps_arguments_not_data():
    env = make(observation="indices").unwrapped
    env.reset(seed=0)
    stored = pickle.dumps(env)
    assert len(stored) < 1000
    copy = pickle.loads(stored)
    assert copy.observation_space == env.observation_space
    assert data_equivalence(rollout(copy, 4, seed=3), rollout(env, 4, seed=3), exact=True)


@pytest.mark.parametrize("steps", [0, 2, 3])
@pytest.mark.parametrize("arguments", VARIANTS)
def test_a_stored_state_continues_exactly(arguments, steps, tmp_path):
    env = make(**arguments)
    observation, info = env.reset(seed=5)
    for _ in range(steps):
        observation, _, _, _, info = env.step(env.action_space.sample(mask=info["action_mask"]))
    torch.save(env.unwrapped.get_state(), tmp_path / "state.pt")
    copy = make(**arguments)
    found, found_info = copy.unwrapped.set_state(torch.load(tmp_path / "state.pt", weights_only=True))
    assert data_equivalence(found, observation, exact=True)
    np.testing.assert_array_equal(found_info["action_mask"], info["action_mask"])

    def future(env):
        env.action_space.seed(1)
        if steps == 3:
            with pytest.raises(ResetNeeded):
                env.step(env.action_space.sample())
            env.reset()
        outcomes = []
        for _ in range(5):
            outcomes.append(env.step(env.action_space.sample()))
            if outcomes[-1][2]:
                outcomes.append(env.reset())
        return outcomes

    assert data_equivalence(future(env.unwrapped), future(copy.unwrapped), exact=True)


def test_states_of_something_else_are_refused():
    env = make()
    with pytest.raises(ResetNeeded, match="reset"):
        env.unwrapped.get_state()
    for state in ({"weights": 1}, {"format": 1}, {"format": 1, "process": {}}, None):
        with pytest.raises(InputError, match="get_state"):
            env.unwrapped.set_state(state)
    env.reset(seed=0)
    with pytest.raises(InputError, match="episode_length 3, here 4"):
        make(episode_length=4).unwrapped.set_state(env.unwrapped.get_state())


def test_global_random_states_are_left_alone():
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002 (the global state is what this test is about)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    rollout(make(), steps=5, seed=0)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002


def test_spaces_print_in_a_few_lines():
    env = gym.make(ID, data="twin-tiny")
    assert len(repr(env.observation_space)) < 300
    assert "[-65504] * 32 + [0] * 25" in repr(env.observation_space)


@pytest.mark.parametrize("name", ["LabelDenoisingStacked", "LabelDenoisingPerVideo", "PlantedNoisePerVideo"])
def test_environments_of_vectors_say_how_they_are_made(name):
    with pytest.raises(
        InputError, match=rf"make it with gymnasium.make_vec\('rlld_gym:rlld/{name}-v0', num_envs="
    ):
        gym.make(f"rlld_gym:rlld/{name}-v0")
