"""A recipe from a JSON file."""

import dataclasses
import json
from pathlib import Path

import pytest

from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import RECIPES, Recipe, get_recipe


def write(folder: Path, content: object) -> str:
    path = folder / "mine.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_survives_its_file(tmp_path: Path, name: str) -> None:
    renamed = RECIPES[name].replace(name="renamed")
    assert get_recipe(write(tmp_path, dataclasses.asdict(renamed))) == renamed


def test_fields_left_out_are_those_of_rlld_and_the_name_is_the_files(tmp_path: Path) -> None:
    recipe = get_recipe(write(tmp_path, {"epochs": 3, "learning_rate": 1}))
    assert recipe == Recipe(name="mine", epochs=3, learning_rate=1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3}, "unknown field 'epoch'; a recipe has name, network"),
        ({"epochs": "3"}, "epochs is '3', expected an integer"),
        ({"epochs": True}, "epochs is True, expected an integer"),
        ({"gradient_clip": "none"}, "gradient_clip is 'none', expected a number or null"),
        ({"decay": "sudden"}, "decay is 'sudden', expected one of step, linear"),
        ({"learning_rate": -1}, "learning_rate is -1, expected a positive number"),
        ({"name": "rlld"}, "its name 'rlld' is that of another recipe"),
        ([1], "found a list, expected an object"),
        ('{"clamp": NaN}', "not JSON"),
        ("{", "not JSON"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: object, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=r"mine\.json") as caught:
        get_recipe(path)
    assert message in str(caught.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"nowhere\.json: cannot read it"):
        get_recipe("nowhere.json")
