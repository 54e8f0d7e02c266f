"""What networks are trained on, and how."""

import pickle

import pytest
import torch

from rlld_agents.baselines import Context
from rlld_agents.runs.setting import Setting
from rlld_gym.data import open_data
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import get_recipe


def test_what_is_not_given_is_what_the_data_set_recommends() -> None:
    setting = Setting("twin-tiny", device="cpu")
    attributes = open_data("twin-tiny").attributes
    assert setting.recipe == get_recipe(str(attributes["recipe"]))
    assert setting.hidden_size == attributes["hidden_size"]
    assert setting.device == torch.device("cpu")


def test_what_is_given_wins_and_the_environment_keeps_the_whole_schedule() -> None:
    setting = Setting("twin-tiny", 3, recipe="han", hidden_size=24, epochs=2, device="cpu")
    assert setting.recipe == get_recipe("han").shortened(2)
    assert setting.environment_arguments() == {
        "data": "twin-tiny",
        "data_seed": 3,
        "recipe": "han",
        "hidden_size": 24,
        "device": "cpu",
    }
    own = get_recipe("han").replace(learning_rate=0.5)
    assert Setting("twin-tiny", recipe=own).recipe is own
    changed = Setting("twin-tiny", recipe="han", epochs=2, changes={"learning_rate": 0.5})
    assert changed.recipe == get_recipe("han").shortened(2).replace(learning_rate=0.5)
    assert changed.environment_arguments()["recipe"] == "han"


def test_it_pickles_small_and_opens_the_same_data_elsewhere() -> None:
    setting = Setting("twin-tiny", recipe="compact", device="cpu")
    tensors = setting.tensors
    setting.check()
    packed = pickle.dumps(setting)
    assert len(packed) < 1000, "without what was opened"
    other = pickle.loads(packed)
    assert other.tensors is tensors, "one copy in a process"
    assert other.recipe == setting.recipe
    context = Context.of(other, seed=4)
    assert (context.data, context.source, context.seed) == (tensors, ("twin-tiny", 0), 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "abacus"}, "--device abacus"),
        ({"recipe": "stew"}, "unknown recipe 'stew'"),
        ({"data": "twin-huge"}, "unknown twin"),
    ],
)
def test_what_cannot_be_used_is_said_when_it_is_checked(options: dict[str, str], message: str) -> None:
    setting = Setting(**{"data": "twin-tiny", "device": "cpu", **options})
    with pytest.raises(InputError, match=message):
        setting.check()
