"""Where the environment's task network starts, and what its evidence is, through the environment alone."""

import time

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import data_equivalence

from rlld_gym.data.catalog import shared_tensors
from rlld_gym.denoising.evidence import evidence
from rlld_gym.denoising.starting_parser import starting_parser
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import make_network
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.task_file import TaskNetworkInfo, save_task_network
from rlld_gym.parsing.training import feature_sizes, make_task_network
from tests.envs.rollouts import ID, SMALL, make, rollout
from tests.envs.video_rollouts import make_videos


@pytest.fixture(scope="module")
def data():
    return shared_tensors("twin-tiny", "cpu")


@pytest.fixture
def file(data, tmp_path):
    """A task network of its own, as `rlld train` leaves it behind."""
    sizes = feature_sizes(data["train"]) | {"hidden_size": 8}
    network = make_task_network(get_recipe("compact"), **sizes, seed=77)
    path = tmp_path / "task.safetensors"
    save_task_network(path, network, TaskNetworkInfo("han", {**sizes, "flavour": "jomold"}, "modality", {}))
    return path, network


def network_of(env):
    return env.unwrapped._process.task.network


def same(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def test_every_episode_starts_from_a_copy_of_the_same_parser(data):
    env = make()
    start = starting_parser(data, get_recipe("compact"), 8)
    before = {name: value.clone() for name, value in start.state_dict().items()}
    for seed in (0, None, 5):
        env.reset(seed=seed)
        assert network_of(env) is not start
        assert network_of(env).training
        assert same(network_of(env), start)
        assert not env.unwrapped._process.task.born()[1].state
        env.step(env.action_space.sample())
        assert not same(network_of(env), start)
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())
    fresh = make(task_start="fresh")
    fresh.reset(seed=0)
    first = network_of(fresh)
    fresh.reset(seed=1)
    assert not same(first, network_of(fresh))


def test_the_start_changes_neither_videos_nor_labels():
    starts = [rollout(make(task_start=start), 3, seed=0) for start in ("pretrained", "fresh")]
    for one, other in zip(*starts, strict=True):
        assert data_equivalence(one[0], other[0], exact=True)


@pytest.mark.parametrize("as_text", [True, False])
def test_a_file_can_be_the_start(file, as_text):
    path, network = file
    env = make(task_start=str(path) if as_text else path, evidence="start")
    observation, info = env.reset(seed=0)
    assert same(network_of(env), network)
    rows = torch.from_numpy(info["indices"])
    expected = evidence(network, shared_tensors("twin-tiny", "cpu")["train"], rows)
    np.testing.assert_allclose(observation["evidence"], expected, rtol=1e-4, atol=1e-5)


def test_a_file_of_other_sizes_is_refused_at_construction(file):
    with pytest.raises(InputError, match="hidden_size 8, here 16"):
        make(task_start=str(file[0]), hidden_size=16)
    with pytest.raises(InputError, match="visual_2d_size"):
        make(task_start=str(file[0]), data="twin-small")


@pytest.mark.parametrize(
    ("system", "option"), [("valor", "num_layers"), ("valor", "heads"), ("han", "heads")]
)
def test_a_file_of_another_depth_or_other_heads_is_refused_at_construction(data, tmp_path, system, option):
    given = {**feature_sizes(data["train"]), "hidden_size": 8, option: 2}
    path = tmp_path / "task.safetensors"
    save_task_network(path, make_network(system, **given), TaskNetworkInfo(system, given, "global", {}))
    with pytest.raises(
        InputError, match=rf"a {system} of other options \({option} 2, here \d\); use the recipe"
    ):
        make(task_network=system, task_start=str(path))


def test_a_stored_state_knows_the_content_of_its_start(file, tmp_path):
    path, _ = file
    env = make(task_start=str(path))
    env.reset(seed=0)
    state = env.unwrapped.get_state()
    moved = tmp_path / "elsewhere.safetensors"
    moved.write_bytes(path.read_bytes())
    make(task_start=str(moved)).unwrapped.set_state(state)
    with pytest.raises(InputError, match=r"task_start 'weights .*here 'pretrained'"):
        make().unwrapped.set_state(state)
    pretrained = make()
    pretrained.reset(seed=0)
    with pytest.raises(InputError, match="task_start 'pretrained', here 'fresh'"):
        make(task_start="fresh").unwrapped.set_state(pretrained.unwrapped.get_state())


def test_states_stored_before_there_was_a_choice_are_of_fresh_networks_and_sums():
    env = make(task_start="fresh", inter_scale=1.0)
    env.reset(seed=0)
    state = env.unwrapped.get_state()
    for name in ("task_start", "task_start_epochs", "inter_scale"):
        del state["process"]["config"][name]
    env.unwrapped.set_state(state)
    with pytest.raises(InputError, match="task_start 'fresh', here 'pretrained'"):
        make().unwrapped.set_state(state)


def test_evidence_of_the_start_and_of_the_network_as_it_is(data):
    train, seen = data["train"], {}
    for source in ("start", "current"):
        env = make(evidence=source)
        observation, info = env.reset(seed=0)
        start = starting_parser(data, get_recipe("compact"), 8)
        for step in range(3):
            judge = start if source == "start" else network_of(env)
            expected = evidence(judge, train, torch.from_numpy(info["indices"])).numpy()
            np.testing.assert_allclose(observation["evidence"], expected, rtol=1e-4, atol=1e-4)
            seen[source, step] = observation["evidence"]
            observation, _, _, _, info = env.step(np.zeros((4, 2, 25)))
    np.testing.assert_allclose(seen["start", 0], seen["current", 0], rtol=1e-4, atol=1e-4)
    assert np.abs(seen["start", 2] - seen["current", 2]).max() > 0.01


@pytest.mark.parametrize("mode", ["features", "indices"])
def test_evidence_of_a_video_and_of_copies(mode):
    options = {"evidence": "start", "observation": mode}
    expected = make(**options).reset(seed=0)[0]["evidence"]
    videos = make_videos(**options)
    assert videos.single_observation_space["evidence"].shape == (2, 25)
    np.testing.assert_array_equal(videos.reset(seed=0)[0]["evidence"], expected)
    envs = gym.make_vec("rlld_gym:rlld/LabelDenoisingStacked-v0", num_envs=2, **SMALL, **options)
    np.testing.assert_array_equal(envs.reset(seed=0)[0]["evidence"][0], expected)


@pytest.mark.long
def test_processes_have_the_start_of_this_one():
    options = {**SMALL, "evidence": "start"}
    envs = gym.make_vec(
        ID, num_envs=2, vectorization_mode="async", vector_kwargs={"context": "forkserver"}, **options
    )
    found = envs.reset(seed=0)[0]["evidence"]
    envs.close()
    np.testing.assert_allclose(found[0], make(**options).reset(seed=0)[0]["evidence"], rtol=1e-5, atol=1e-5)


def test_a_contribution_of_all_classes_but_rounding_is_the_score_of_a_parser_without_false_alarms():
    """Each class's predictions add something to the videos that have it; what they add is about the score."""
    env = make(data="twin-tiny", hidden_size=32, recipe="compact-tiny", batch_size=64, episode_length=1)
    env.reset(seed=0)
    info = env.step(np.zeros((64, 2, 25)))[-1]
    for modality, name in enumerate(("segment_audio", "segment_visual")):
        assert info["class_contribution"][modality].sum() == pytest.approx(info[name], rel=0.5)


def test_a_reset_costs_less_than_training_anew():
    """The first reset may train; the others copy."""
    env = make(recipe="compact-tiny", hidden_size=32)
    env.reset(seed=0)
    begin = time.perf_counter()
    for seed in range(10):
        env.reset(seed=seed)
    copying = (time.perf_counter() - begin) / 10
    begin = time.perf_counter()
    env.step(env.action_space.sample())
    assert copying < 20 * (time.perf_counter() - begin)
