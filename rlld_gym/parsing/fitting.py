"""Fitting a recipe to the data that it is used on."""

import inspect

from rlld_gym.data.classes import NUM_SEGMENTS
from rlld_gym.parsing.networks import find_network
from rlld_gym.parsing.recipe import Recipe

_OPTION = "num_segments"


def for_segments(recipe: Recipe, num_segments: int) -> Recipe:
    """Return a recipe for videos of ``num_segments`` segments.

    Most networks take any number. One that is built for a number takes the argument ``num_segments``; it is given
    where the data's number is not LLP's 10, unless the recipe says it already.

    Raises:
        InputError: no network is registered under the recipe's name for it.
    """
    if num_segments == NUM_SEGMENTS or _OPTION in recipe.network_options:
        return recipe
    if _OPTION not in inspect.signature(find_network(recipe.network)).parameters:
        return recipe
    return recipe.replace(network_options={**recipe.network_options, _OPTION: num_segments})
