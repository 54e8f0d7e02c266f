"""The caller's settings of torch neither change what environments and training do nor are changed by them."""

from contextlib import ExitStack

import gymnasium as gym
import numpy as np
import pytest
import torch

from rlld_agents.imitation.imitation import ImitationConfig, imitate
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.start import startable_policy
from rlld_gym.data import open_data
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.task_file import TaskNetworkInfo, load_task_network, save_task_network
from rlld_gym.parsing.training import feature_sizes, make_task_network, train_parser
from rlld_gym.torch_settings import own_torch_settings
from tests.envs.rollouts import SMALL, VARIANTS, make, rollout


class Restored:
    """A setting of the process, for a block."""

    def __init__(self, get, put, value):
        self.get, self.put, self.value = get, put, value

    def __enter__(self):
        self.before = self.get()
        self.put(self.value)

    def __exit__(self, *_):
        self.put(self.before)


def default_dtype(dtype):
    return Restored(torch.get_default_dtype, torch.set_default_dtype, dtype)


def deterministic():
    return Restored(torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True)


def everything():
    stack = ExitStack()
    for switch in SWITCHES.values():
        stack.enter_context(switch())
    return stack


SWITCHES = {
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),
    "half": lambda: default_dtype(torch.float16),
    "double": lambda: default_dtype(torch.float64),
    "deterministic": deterministic,
}


def settings():
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_autocast_enabled("cpu"),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
    )


def same(one, other):
    """Whether nested outcomes are equal to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return np.array_equal(one, other)


def check(play, switch):
    """Check that what ``play`` returns is the same with a setting, and the setting is the same afterwards."""
    alone = play()
    with switch():
        before = settings()
        found = play()
        assert settings() == before
    assert same(found, alone)


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_setting(switch):
    check(lambda: rollout(make(**VARIANTS[5]), 3, seed=5), SWITCHES[switch])


@pytest.mark.parametrize("variant", [4, 7, 9])
def test_variants(variant):
    check(lambda: rollout(make(**VARIANTS[variant]), 4, seed=5), everything)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rlld/LabelDenoisingStacked-v0", {**SMALL, "num_envs": 2}),
        ("rlld/LabelDenoisingPerVideo-v0", {**SMALL, "num_envs": 4}),
        ("rlld/LabelDenoisingRates-v0", {**SMALL, "num_envs": 1}),
        ("rlld/PlantedNoisePerVideo-v0", {"num_envs": 4}),
        ("rlld/PlantedNoise-v0", {"num_envs": 1}),
    ],
)
def test_other_forms(name, arguments):
    def play():
        envs = gym.make_vec(f"rlld_gym:{name}", **arguments)
        envs.action_space.seed(0)
        return [envs.reset(seed=3), *(envs.step(envs.action_space.sample()) for _ in range(4))]

    check(play, everything)


def test_training():
    def train():
        data = open_data("twin-tiny").to("cpu")
        recipe, labels = get_recipe("compact").shortened(1), data["train"].labels
        parser = train_parser(data, labels, labels, recipe, hidden_size=8, seed=2)
        policy = startable_policy(data["train"], hidden_size=8, seed=1)
        imitate(policy, data["val"], ImitationConfig(epochs=1), seed=4)
        scores = evaluate(parser.network, data["test"], recipe.gate).as_dict()
        return parser.history, scores, denoise(policy, data).removal_probability

    check(train, everything)


def test_networks_are_made_and_read(tmp_path):
    recipe, sizes = get_recipe("compact"), feature_sizes(open_data("twin-tiny").to("cpu")["train"])
    path = tmp_path / "task.safetensors"
    info = TaskNetworkInfo("han", {**sizes, "hidden_size": 8, "flavour": recipe.flavour}, recipe.gate, {})

    def weights():
        made = make_task_network(recipe, **sizes, hidden_size=8, seed=7)
        save_task_network(path, made, info)
        networks = made, load_task_network(path)[0]
        return [{name: weight.numpy() for name, weight in net.state_dict().items()} for net in networks]

    check(weights, everything)


def test_default_dtype_comes_back_when_the_last_of_two_ends():
    with default_dtype(torch.float64):
        first, second = own_torch_settings(), own_torch_settings()
        first.__enter__()
        second.__enter__()
        first.__exit__()
        assert torch.get_default_dtype() == torch.float32
        second.__exit__()
        assert torch.get_default_dtype() == torch.float64
