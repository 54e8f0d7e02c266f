"""Recipes of your own: a JSON file with the fields of a `Recipe`."""

import json
import types
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from rlld_gym.errors import InputError
from rlld_gym.parsing.recipe import Recipe
from rlld_gym.parsing.thresholds import Thresholds

SUFFIX: Final = ".json"
"""What the name of a recipe file ends in; a recipe's name never does."""

THRESHOLDS: Final = get_type_hints(Thresholds)
"""Fields of a recipe's thresholds, and what each takes: a number, or a list with one for each class."""


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a JSON file.

    The file holds one object. Its keys are fields of `Recipe`, all of them optional: what is left out is that of
    the recipe "rlld", and the name that of the file.

    Args:
        path: the file.

    Raises:
        InputError: the file is missing or no JSON object, or has a field that no recipe has, a value of the wrong
            type or out of range.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise InputError(f"recipe {path}: cannot read it ({error.strerror}); check the path") from error
    except ValueError as error:
        raise InputError(
            f"recipe {path}: not JSON ({error}); expected an object of a recipe's fields"
        ) from error
    if not isinstance(values, dict):
        raise InputError(f"recipe {path}: found a {type(values).__name__}, expected an object of fields")
    hints = get_type_hints(Recipe)
    known = [field.name for field in fields(Recipe)]
    for name, value in values.items():
        if name not in known:
            raise InputError(f"recipe {path}: unknown field {name!r}; a recipe has {', '.join(known)}")
        if not _fits(value, hints[name]):
            raise InputError(f"recipe {path}: {name} is {value!r}, expected {_in_words(hints[name])}")
    given: dict[str, Any] = {"name": path.stem} | values
    try:
        if "thresholds" in given:
            given["thresholds"] = Thresholds(**given["thresholds"])
        return Recipe(**given)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value read from JSON is of the type of a field."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if hint is Thresholds:
        return isinstance(value, dict) and all(
            name in THRESHOLDS and _fits(part, THRESHOLDS[name]) for name, part in value.items()
        )
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(_fits(part, get_args(hint)[0]) for part in value)
    if hint in (int, float):
        return isinstance(value, (int, float) if hint is float else int) and not isinstance(value, bool)
    return isinstance(value, get_origin(hint) or hint)


def _in_words(hint: Any) -> str:
    """Return what a field takes, in JSON's words."""
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_in_words(option) for option in get_args(hint))
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if hint is Thresholds:
        return f"an object of {', '.join(THRESHOLDS)}"
    words = {float: "a number", int: "an integer", str: "a text", Mapping: "an object", type(None): "null"}
    return words[get_origin(hint) or hint]
