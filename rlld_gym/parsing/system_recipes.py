"""Recipes of the published systems besides HAN and JoMoLD, as their authors' code trains them."""

from typing import Final

from rlld_gym.parsing.recipe import Recipe

SYSTEM_RECIPES: Final[tuple[Recipe, ...]] = ()
