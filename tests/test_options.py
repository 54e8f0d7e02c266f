"""Options are declared once: what follows from the declaration agrees with it."""

import dataclasses
import inspect
from typing import Literal

import gymnasium as gym
import pytest
import tyro

from rlld_gym.denoising.config import ProcessConfig, ProcessOptions
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.envs.options import EnvironmentArguments, EnvironmentOptions
from rlld_gym.errors import InputError
from rlld_gym.options import check_options, markdown_table, option, or_none, require_count, signature
from tests.envs.rollouts import ID, SMALL


@dataclasses.dataclass(frozen=True)
class Oven:
    """Options of something else."""

    dish: Literal["bread", "cake"] = option("bread", "what is `baked`, see [here](page.md#a)")
    fan: bool = option(True, "whether the fan runs")
    minutes: int | None = option(None, "how long; `None`: until done", or_none(require_count))
    mode: Literal["low", "high"] | None = option(None, "how hot")

    def __post_init__(self):
        check_options(self)


def test_a_declaration_gives_checks_signature_table_and_help(capsys):
    assert Oven("cake", minutes=3, mode="low") == Oven(dish="cake", minutes=3, mode="low")
    for wrong, message in (
        ({"dish": "soup"}, "dish is 'soup'; expected one of bread, cake"),
        ({"fan": 1}, "fan is 1; expected True or False"),
        ({"minutes": 0}, "minutes is 0; expected an integer of at least 1 or None"),
        ({"mode": "hot"}, "mode is 'hot'; expected one of low, high"),
    ):
        with pytest.raises(InputError, match=message):
            Oven(**wrong)
    assert str(signature(Oven)).startswith("(dish: Literal['bread', 'cake'] = 'bread', *, fan: bool = True")
    assert markdown_table(Oven)[2:4] == [
        '| `dish` | `"bread"` | what is `baked`, see [here](page.md#a) |',
        "| `fan` | `True` | whether the fan runs |",
    ]
    with pytest.raises(SystemExit):
        tyro.cli(Oven, args=["--help"])
    shown = capsys.readouterr().out
    assert "whether the fan runs" in shown
    assert "what is baked, see here (default: bread)" in " ".join(shown.replace("│", " ").split())


def test_every_option_reaches_constructor_documentation_and_process():
    names = [field.name for field in dataclasses.fields(EnvironmentArguments)]
    assert list(inspect.signature(LabelDenoisingEnv).parameters) == names
    for name in names:
        assert f"    | `{name}` | `" in LabelDenoisingEnv.__doc__
    shared = {field.name for field in dataclasses.fields(ProcessOptions)}
    assert shared < {field.name for field in dataclasses.fields(ProcessConfig)}
    assert shared < {field.name for field in dataclasses.fields(EnvironmentOptions)} < set(names)
    assert "{arguments}" not in LabelDenoisingEnv.__doc__


def test_defaults_of_all_forms_are_those_of_the_declaration():
    arguments = EnvironmentArguments()
    config = LabelDenoisingEnv()._config
    for field in dataclasses.fields(ProcessOptions):
        assert getattr(config, field.name) == getattr(arguments, field.name) == field.default


@pytest.mark.parametrize(
    ("make", "owner"),
    [
        (lambda **options: gym.make(ID, **options), "LabelDenoisingEnv"),
        (lambda **options: gym.make_vec(ID, num_envs=1, **options), "LabelDenoisingEnv"),
    ],
)
def test_an_unknown_option_is_named_with_the_known_ones(make, owner):
    with pytest.raises(TypeError, match=f"{owner} got an unexpected keyword argument 'speed'.*batch_size"):
        make(**SMALL, speed=2)
