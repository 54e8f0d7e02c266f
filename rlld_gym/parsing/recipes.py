"""Training recipes of task networks, as data."""

from pathlib import Path
from typing import Final

from rlld_gym.errors import InputError
from rlld_gym.parsing.recipe import Gate, Recipe
from rlld_gym.parsing.recipe_file import SUFFIX, read_recipe
from rlld_gym.parsing.systems.compact import COMPACT_EPOCHS, COMPACT_SYSTEMS, PREFIX, TINY_PREFIX, tiny
from rlld_gym.parsing.systems.published import SYSTEM_RECIPES

__all__ = ["RECIPES", "Gate", "Recipe", "default_recipe", "get_recipe", "system_recipe"]

_RLLD = Recipe(name="rlld")
_HAN = Recipe(
    name="han",
    flavour="han",
    learning_rate=3e-4,
    step_size=10,
    gamma=0.1,
    epochs=40,
    batch_size=16,
    audio_weight=1.0,
    visual_confidence=0.9,
    video_target="original",
    gate="global",
    selection="segment_type",
)
# Half of a 64-wide visual sequence is too little for the visual head: where visual Speech is removed, dropout there
# drives the parser to hear Speech in the wrong segments (5 to 8 points of audio F-score), so "han", not "jomold".
# At this width a parser can settle, in its first epochs, on hearing Speech in the wrong segments, and stay there:
# the higher a rate that nothing leads up to, the oftener. With a slow rise pooling finds the right segments first.
# At such a rate Adam's usual second moment, which a sudden gradient moves too late, lets the loss leap.
_COMPACT = _RLLD.replace(
    name="compact",
    flavour="han",
    learning_rate=8e-3,
    second_moment_decay=0.98,
    gradient_clip=0.3,
    warm_up=3.0,
    decay="linear",
    online_learning_rate=4e-3,
    epochs=8,
    selection="segment_type",
)
_COMPACT_HAN = _COMPACT.replace(name=f"{PREFIX}han", batch_size=32, learning_rate=1e-2).shortened(
    COMPACT_EPOCHS
)
_NARROW = (_COMPACT_HAN, *COMPACT_SYSTEMS)

_SYSTEMS: Final = ("han", *(recipe.name for recipe in SYSTEM_RECIPES))

RECIPES: Final[dict[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        _HAN,
        _RLLD.replace(name="jomold", contrastive_weight=1.0, visual_confidence=0.9, video_target="original"),
        _RLLD,
        _RLLD.replace(name="rlld+cl", contrastive_weight=1.0),
        _RLLD.replace(name="rlld+bf16", precision="bfloat16"),
        _COMPACT,
        _COMPACT.replace(name="compact-tiny", epochs=20, warm_up=7.5),
        *SYSTEM_RECIPES,
        *_NARROW,
        *map(tiny, _NARROW),
    )
}
"""Known recipes by name.

"han": Tian et al., ECCV 2020. "jomold": the denoising stage of Cheng et al., ECCV 2022, without its removal
of labels. "rlld": the same network and schedule without label smoothing and contrastive loss (RLLD, arXiv
2412.19563); "rlld+cl": with the contrastive loss, "rlld+bf16": trained in bfloat16. "compact": "rlld" for networks
of about 64 units, with a higher rate and without dropout before the visual classifier, its epoch chosen by
segment-level Type; "compact-tiny": "compact" for about 32 units and a tenth of the videos; "compact-han": "compact"
with the batches and the rate that suit HAN among the other systems, in half of the epochs. Those of other systems:
see ``rlld_gym.parsing.systems.published``, and ``systems.compact`` for "compact-" or "compact-tiny-" and the name
of each of them.
"""


def get_recipe(name: str) -> Recipe:
    """Return the recipe called ``name``, or the one in a file.

    Args:
        name: a key of `RECIPES`, or the path of a JSON file, see `rlld_gym.parsing.recipe_file`.

    Raises:
        InputError: no recipe has that name, the file holds no recipe, or one with the name of another recipe.
    """
    if name.endswith(SUFFIX):
        recipe = read_recipe(Path(name))
        if recipe.name in RECIPES:
            raise InputError(
                f"recipe {name}: its name {recipe.name!r} is that of another recipe; choose a new one"
            )
        return recipe
    try:
        return RECIPES[name]
    except KeyError:
        known = ", ".join(RECIPES)
        raise InputError(f"unknown recipe {name!r}; choose from {known}, or name a file {SUFFIX}") from None


def system_recipe(system: str, recommended: str) -> Recipe:
    """Return how a system is trained on a data set: as published, or for narrow features.

    Args:
        system: name of a published recipe, such as "valor"; "han" for HAN.
        recommended: the recipe that the data set recommends. With "compact" or "compact-tiny" it is the compact one
            of the system, as many times longer as "compact-tiny" is than "compact"; all systems are then trained
            equally long, HAN too.

    Raises:
        InputError: there is no such system.
    """
    if system not in _SYSTEMS:
        raise InputError(f"unknown system {system!r}: expected one of {', '.join(_SYSTEMS)}")
    prefix = {_COMPACT.name: PREFIX, "compact-tiny": TINY_PREFIX}.get(recommended, "")
    return RECIPES[prefix + system]


def default_recipe(task_network: str | None, recommended: str) -> str:
    """Return the name of the recipe that a task network is trained by where none is asked for.

    Args:
        task_network: its name; None: the recommended recipe's.
        recommended: the recipe that the data set recommends. It stays for HAN, and for networks that no published
            recipe is for.
    """
    if task_network in (None, "han") or task_network not in _SYSTEMS:
        return recommended
    return system_recipe(task_network, recommended).name
