"""Recipes of the published systems for narrow features and few steps, as "compact" is HAN's.

Published rates and lengths are for width 512 and features of deep networks. On narrow data every system gets the
schedule of "compact": a linear rise and fall of the rate, clipped gradients, no label smoothing, which hurts narrow
networks. Batch size and rate were chosen for each on the validation split, from one grid for all
(benchmarks/system_grid.py, `twin-small`, weak labels): the deeper a system, the more it gains from smaller batches.
What makes the system stays its own: network, objective, weights of the loss, target of the video, gate, thresholds
and selection. Deep systems, which are slow on a CPU, have fewer layers here.
"""

from collections.abc import Mapping
from typing import Any, Final

from rlld_gym.parsing.recipe import Recipe
from rlld_gym.parsing.systems.published import SYSTEM_RECIPES

PREFIX: Final = "compact-"
"""Of the recipes' names, before those of the published recipes."""

COMPACT_EPOCHS: Final = 4

_USUAL: Final = (32, 1e-2)
_CHOSEN: Final[Mapping[str, tuple[int, float]]] = {
    **dict.fromkeys(("cpsp", "cpsp-released", "mm_cse", "valor", "valor-rlld"), (32, 4e-3)),
    "cmpae": (128, 2.5e-2),
}
"""Videos in a batch and highest rate that differ from the usual ones, by recipe."""

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
    "audio_confidence": 1.0,
    "visual_confidence": 1.0,
}


def _compact(recipe: Recipe) -> Recipe:
    """Return a published recipe with the schedule of "compact"."""
    batch_size, learning_rate = _CHOSEN.get(recipe.name, _USUAL)
    return recipe.replace(
        name=PREFIX + recipe.name,
        batch_size=batch_size,
        learning_rate=learning_rate,
        network_options={**recipe.network_options, **_SMALLER.get(recipe.name, {})},
        **_SCHEDULE,
    )


COMPACT_SYSTEMS: Final[tuple[Recipe, ...]] = tuple(_compact(recipe) for recipe in SYSTEM_RECIPES)
"""A compact recipe of each published one."""

TINY_PREFIX: Final = "compact-tiny-"
"""Likewise, of recipes for a tenth of the videos."""

_TINY_LENGTH: Final = 2.5
"""How many times as many epochs a tenth of the videos gets, as "compact-tiny" beside "compact"."""


def tiny(recipe: Recipe) -> Recipe:
    """Return a compact recipe of a system, as many times longer as "compact-tiny" is than "compact"."""
    name = TINY_PREFIX + recipe.name.removeprefix(PREFIX)
    return recipe.replace(name=name).shortened(round(_TINY_LENGTH * recipe.epochs))
