"""Recipes of the published systems for narrow features and few steps, as "compact" is HAN's.

Published rates and lengths are for width 512 and features of deep networks. On narrow data every system gets the
schedule of "compact": batches of 128, a linear rise and fall of the rate, clipped gradients, no label smoothing,
which hurts narrow networks. What makes the system stays its own: network, objective, weights of the loss, target of
the video, gate, thresholds and selection. Deep systems, which are slow on a CPU, have fewer layers here.
"""

from collections.abc import Mapping
from typing import Any, Final

from rlld_gym.parsing.recipe import Recipe
from rlld_gym.parsing.systems.published import SYSTEM_RECIPES

PREFIX: Final = "compact-"
"""Of the recipes' names, before those of the published recipes."""

COMPACT_EPOCHS: Final = 4

_USUAL_RATE: Final = 1.2e-2
_RATES: Final[Mapping[str, float]] = {
    **dict.fromkeys(("ave", "avsdn"), 2e-2),
    **dict.fromkeys(("mgn", "mm_pyramid", "cvcms", "dhhn", "mm_cse", "valor_plus", "valor_plus_plus"), 6e-3),
}
"""Highest rates that differ from the usual one, by recipe: recurrent systems learn slowly, deep ones leap."""

_SMALLER: Final[Mapping[str, Mapping[str, Any]]] = {
    "valor_plus": {"num_layers": 2},
    "valor_plus_plus": {"num_layers": 2},
    "lsld": {"num_layers": 2},
    "mm_cse": {"num_layers": 1},
    "mgn": {"depths": [1, 1, 1]},
}
"""Options of networks that have fewer layers than published, by recipe."""

_SCHEDULE: Final[Mapping[str, Any]] = {
    "optimizer": "adam",
    "weight_decay": 0.0,
    "first_moment_decay": 0.9,
    "second_moment_decay": 0.98,
    "gradient_clip": 0.3,
    "warm_up": 1.0,
    "decay": "linear",
    "online_learning_rate": 4e-3,
    "epochs": COMPACT_EPOCHS,
    "batch_size": 128,
    "audio_confidence": 1.0,
    "visual_confidence": 1.0,
}


def _compact(recipe: Recipe) -> Recipe:
    """Return a published recipe with the schedule of "compact"."""
    return recipe.replace(
        name=PREFIX + recipe.name,
        learning_rate=_RATES.get(recipe.name, _USUAL_RATE),
        network_options={**recipe.network_options, **_SMALLER.get(recipe.name, {})},
        **_SCHEDULE,
    )


COMPACT_SYSTEMS: Final[tuple[Recipe, ...]] = tuple(_compact(recipe) for recipe in SYSTEM_RECIPES)
"""A compact recipe of each published one."""
