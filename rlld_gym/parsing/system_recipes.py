"""Recipes of the published systems besides HAN and JoMoLD, as their authors' code trains them."""

from typing import Final

from rlld_gym.parsing.recipe import Recipe
from rlld_gym.parsing.thresholds import Thresholds

_CMPAE = Recipe(
    name="cmpae",
    network="cmpae",
    epochs=20,
    video_weight=0.6,
    visual_weight=0.6,
    contrastive_weight=1.0,
    visual_confidence=0.9,
    video_target="original",
    thresholds=Thresholds(audio=0.45, visual=0.45, segment=0.25),
    selection="mean",
)
_LSLD = Recipe(
    name="lsld",
    network="lsld",
    learning_rate=2e-4,
    epochs=20,
    batch_size=32,
    audio_weight=3.0,
    video_target="original",
)
_MM_CSE = Recipe(
    name="mm_cse",
    network="mm_cse",
    optimizer="adamw",
    learning_rate=1e-4,
    weight_decay=1e-3,
    first_moment_decay=0.5,
    gradient_clip=1.0,
    step_size=10,
    gamma=0.1,
    epochs=60,
    batch_size=64,
    audio_weight=1.0,
    video_target="original",
    gate="mixed",
    selection="segment_type",
)
# Ours, as nothing is public of how these two were made to parse: the rates and batches are the publications'.
_AVE = Recipe(
    name="ave",
    network="ave",
    learning_rate=1e-3,
    step_size=10,
    gamma=0.5,
    epochs=40,
    batch_size=64,
    audio_weight=1.0,
    video_target="original",
    gate="global",
    selection="segment_type",
)
_AVSDN = _AVE.replace(name="avsdn", network="avsdn", gradient_clip=0.1, step_size=15, epochs=45)

SYSTEM_RECIPES: Final[tuple[Recipe, ...]] = (_CMPAE, _LSLD, _MM_CSE, _AVE, _AVSDN)
