"""The event classes and the time grid of LLP (Tian, Li and Xu, ECCV 2020)."""

import json
from functools import cache
from importlib.resources import files
from typing import Any, Final

NUM_SEGMENTS: Final = 10
"""Segments of one second in a video."""

CLASSES: Final[tuple[str, ...]] = (
    "Speech", "Car", "Cheering", "Dog", "Cat", "Frying_(food)", "Basketball_bounce", "Fire_alarm", "Chainsaw",
    "Cello", "Banjo", "Singing", "Chicken_rooster", "Violin_fiddle", "Vacuum_cleaner", "Baby_laughter",
    "Accordion", "Lawn_mower", "Motorcycle", "Helicopter", "Acoustic_guitar", "Telephone_bell_ringing",
    "Baby_cry_infant_cry", "Blender", "Clapping",
)  # fmt: skip
"""Class names in the order of every array in this package."""

SPEECH_NAME: Final = "Speech"
"""The class whose visual labels are mostly noise: it decides most of what a denoiser can gain on LLP."""

SPEECH: Final = CLASSES.index(SPEECH_NAME)
"""Its index."""

AUDIO_NOISE_RATE: Final = 0.053
"""Share of the weak labels of LLP's validation and test videos whose event is not heard."""

VISUAL_NOISE_RATE: Final = 0.355
"""Share of them whose event is not seen."""

SPLITS: Final[tuple[str, ...]] = ("train", "val", "test")
"""Names of the splits, in the order in which a feature store keeps them."""


@cache
def llp_statistics() -> dict[str, Any]:
    """Return counts taken from LLP's annotation files.

    Returns:
        A dictionary with ``label_sets`` (per split, ``[class indices, number of videos]``) and
        ``temporal_patterns`` (per class, ``[audio mask, visual mask, count]`` over the weakly positive validation
        and test videos; bit t of a mask is set when the event is present in segment t).
    """
    text = files("rlld_gym.data").joinpath("resources/llp_statistics.json").read_text(encoding="utf-8")
    statistics: dict[str, Any] = json.loads(text)
    return statistics
