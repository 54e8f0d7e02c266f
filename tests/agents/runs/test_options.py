"""Options as data: to JSON, to a command line, and back."""

import json
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from rlld_agents.runs.options import Options, SettingOptions
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class Oven:
    """A block of options."""

    degrees: tuple[int, int] = (180, 200)
    fan: bool = False


@dataclass(frozen=True)
class Baking(Options):
    """Options with a block."""

    command: ClassVar[str] = "bake bread"
    noun: ClassVar[str] = "loaf"
    changeable: ClassVar[frozenset[str]] = frozenset({"minutes"})

    minutes: int = 30
    seeds: tuple[str, ...] = ()
    crust: bool = True
    oven: Oven = field(default_factory=Oven)


def test_options_come_back_from_json_as_they_were() -> None:
    baking = Baking(seeds=("rye", "poppy"), oven=Oven(degrees=(170, 190)))
    assert Baking.from_dict(json.loads(json.dumps(baking.as_dict())), "config.json") == baking


def test_unknown_options_are_refused_and_missing_ones_have_their_defaults() -> None:
    assert Baking.from_dict({"oven": {"fan": True}}, "config.json") == Baking(oven=Oven(fan=True))
    for values in ({"salt": 1}, {"oven": {"salt": 1}}, {"oven": 3}):
        with pytest.raises(InputError, match=r"config\.json: options do not fit"):
            Baking.from_dict(values, "config.json")


def test_the_command_line_has_what_differs_from_the_defaults() -> None:
    assert Baking().command_line() == ["bake", "bread"]
    words = Baking(seeds=("rye", "poppy"), crust=False, oven=Oven(fan=True, degrees=(1, 2))).command_line()
    assert words[2:] == ["--seeds", "rye", "poppy", "--no-crust", "--degrees", "1", "2", "--fan"]


def test_what_shapes_the_loaf_cannot_change() -> None:
    Baking(minutes=40).check_resumes(Baking())
    with pytest.raises(InputError, match="--fan True: the loaf was started with False"):
        Baking(oven=Oven(fan=True)).check_resumes(Baking())


def test_a_setting_is_what_the_options_say() -> None:
    options = SettingOptions(data="twin-tiny", recipe="han", hidden_size=24, parser_epochs=2, device="cpu")
    assert options.setting().environment_arguments() == {
        "data": "twin-tiny",
        "data_seed": 0,
        "recipe": "han",
        "hidden_size": 24,
        "device": "cpu",
    }
    assert options.setting().recipe.epochs == 2
    other = options.setting("other.h5", 5)
    assert (other.data, other.data_seed) == ("other.h5", 5)
    with pytest.raises(InputError, match="--parser-epochs: found 0, expected at least 1"):
        SettingOptions(parser_epochs=0)
