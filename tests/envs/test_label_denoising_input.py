"""What users pass to the environment: actions, arguments, data, and calls out of order."""

import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import data_equivalence

from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.errors import InputError
from tests.envs.rollouts import ID, SMALL, TINY, make, rollout


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.int64, np.uint8, np.float32, np.float64])
def test_action_types_that_libraries_send(dtype):
    results = []
    for kind in (np.int8, dtype):
        env = make().unwrapped
        mask = env.reset(seed=0)[1]["action_mask"]
        results.append(env.step((mask == 2).astype(kind))[1])
    assert results[0] == results[1] == pytest.approx(-1 / 3)  # of three steps


def test_bits_on_absent_labels_are_ignored():
    outcomes = []
    for fill in (0, 1):
        env = make().unwrapped
        mask = env.reset(seed=0)[1]["action_mask"]
        action = np.where(mask == 2, 0, fill)
        outcomes.append(env.step(action))
    assert data_equivalence(outcomes[0], outcomes[1], exact=True)
    assert outcomes[1][-1]["n_removed_audio"] == 0


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros((4, 50)), r"shape \(4, 50\); expected \(4, 2, 25\)"),
        (np.zeros((3, 2, 25)), r"expected \(4, 2, 25\)"),
        (np.full((4, 2, 25), 0.5), "contains 0.5; expected only 0"),
        (np.full((4, 2, 25), np.nan), "contains nan"),
        (np.full((4, 2, 25), 2), "contains 2"),
        (np.full((4, 2, 25), -1, np.int8), "contains -1"),
        (np.full((4, 2, 25), "1"), "dtype <U1"),
        (None, "dtype object"),
    ],
)
def test_actions_that_are_refused(action, message):
    env = make().unwrapped
    env.reset(seed=0)
    state = env.get_state()
    with pytest.raises(ValueError, match=message):
        env.step(action)
    assert env.get_state()["process"]["steps"] == state["process"]["steps"]
    assert env.get_state()["process"]["generator"] == state["process"]["generator"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "twin-huge"}, "twin-huge"),
        ({"data": "no/such/file.h5"}, "no/such/file.h5"),
        ({"data_seed": -1}, "data_seed is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": 1000}, "less than the batch_size"),
        ({"overlap": 1}, "overlap is 1"),
        ({"subset": 2}, "subset is 2"),
        ({"recipe": "cake"}, "cake"),
        ({"hidden_size": 0}, "hidden_size is 0"),
        ({"recipe": 3}, "recipe is 3; expected a name, the path of a JSON file or None"),
        ({"recipe": Path("no/such.json")}, "recipe no/such.json: cannot read it"),
        ({"task_network": "none"}, "task_network is 'none'"),
        ({"task_network": "no_such_module:Parser"}, "no module 'no_such_module' here or installed$"),
        ({"reward": "no_such_module:reward"}, "no module 'no_such_module' here or installed"),
        ({"task_lifespan": "long"}, "expected one of episode, run"),
        (
            {"task_start": "old"},
            "'old', and there is no such file; expected 'pretrained', 'fresh' or the path",
        ),
        ({"task_start": 1}, "task_start is 1; expected"),
        ({"task_start": __file__}, "not a readable safetensors file"),
        ({"task_start_epochs": 0}, "task_start_epochs is 0"),
        ({"task_start_epochs": 2, "task_start": "fresh"}, "only 'pretrained' trains"),
        ({"evidence": "end"}, "evidence is 'end'; expected one of start, current"),
        (
            {"evidence": "start", "task_start": "fresh"},
            "use task_start 'pretrained' or a file, or evidence 'current'",
        ),
        (
            {"inter_scale": "mean"},
            "inter_scale is 'mean'; expected a finite number or None",
        ),
        ({"observation": "pixels"}, "expected one of features, indices"),
        ({"time_feature": 1}, "time_feature is 1"),
        ({"device": "abacus"}, "device is 'abacus'"),
        ({"device": "meta"}, "device is 'meta'"),
        ({"render_mode": "human"}, "expected one of ansi, rgb_array"),
    ],
)
def test_arguments_that_are_refused_at_construction(arguments, message):
    with pytest.raises(InputError, match=message):
        LabelDenoisingEnv(**{**SMALL, **arguments})


def test_unknown_keyword():
    with pytest.raises(TypeError, match="speed"):
        make(speed=2)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_is_not_there():
    env = make(device="cuda").unwrapped
    with pytest.raises(InputError, match="0 GPUs"):
        env.reset(seed=0)


@pytest.mark.gpu
def test_on_a_gpu_rollouts_are_deterministic_and_global_state_is_left_alone():
    before = torch.cuda.get_rng_state()
    first, second = (rollout(make(device="cuda"), steps=5, seed=0) for _ in range(2))
    assert data_equivalence(first, second, exact=True)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_step_needs_a_reset():
    env = make().unwrapped
    with pytest.raises(ResetNeeded, match="before the first reset"):
        env.step(env.action_space.sample())
    rollout(env, steps=3, seed=0)
    env.reset(seed=0)
    for _ in range(3):
        env.step(env.action_space.sample())
    with pytest.raises(ResetNeeded, match="after the last step"):
        env.step(env.action_space.sample())


def test_close_twice_and_use_again():
    env = make(task_lifespan="run").unwrapped
    first = rollout(env, steps=2, seed=0)
    env.close()
    env.close()
    assert data_equivalence(first, rollout(env, steps=2, seed=0), exact=True)


def test_vectorised_copies():
    envs = gym.make_vec(ID, num_envs=2, vectorization_mode="sync", **SMALL)
    observation, _ = envs.reset(seed=0)
    assert observation["audio"].shape == (2, 4, 10, TINY.audio_size + 25)
    rewards = envs.step(envs.action_space.sample())[1]
    assert rewards.shape == (2,)
    envs.close()


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_package_does_not_import_torch():
    result = run_python("import sys, rlld_gym, rlld_gym.data; assert 'torch' not in sys.modules")
    assert result.returncode == 0, result.stderr


def test_construction_reads_and_generates_no_data():
    result = run_python(
        "import gymnasium, rlld_gym.data.catalog as catalog\n"
        "env = gymnasium.make('rlld_gym:rlld/LabelDenoising-v0', data='twin-full', observation='indices')\n"
        "assert not catalog._stores and not catalog._tensors\n"
        "assert env.observation_space['index'].high.max() == 9999"
    )
    assert result.returncode == 0, result.stderr


def test_the_header_of_a_twin_is_that_of_the_generated_one():
    from rlld_gym.data import open_data  # noqa: PLC0415
    from rlld_gym.envs.checks import data_header  # noqa: PLC0415

    found, expected = data_header("twin-tiny", 0), open_data("twin-tiny").header
    for name in ("name", "classes", "dtype", "audio_size", "visual_2d_size", "visual_3d_size"):
        assert getattr(found, name) == getattr(expected, name)
    assert dict(found.counts) == dict(expected.counts)
    assert {key: expected.attributes[key] for key in found.attributes} == dict(found.attributes)


def test_a_store_file_is_the_same_environment(tmp_path):
    from rlld_gym.data import open_data  # noqa: PLC0415

    path = tmp_path / "twin.h5"
    open_data("twin-tiny").save(path)
    from_file = rollout(make(data=str(path)), steps=4, seed=0)
    assert data_equivalence(from_file, rollout(make(), steps=4, seed=0), exact=True)
