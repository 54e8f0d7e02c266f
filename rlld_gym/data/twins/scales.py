"""The three scales of the synthetic twin and the parameters of their features."""

from dataclasses import dataclass
from typing import Final

from rlld_gym.errors import InputError


@dataclass(frozen=True)
class ModalityModel:
    """How strongly one modality shows an event, in units of the noise of a segment (standard deviation 1).

    Every quantity is per latent coordinate; see ``twin_features`` for the generative model.
    """

    latent_size: int
    """Coordinates of the latent space in which events live."""
    modes: int
    """Different appearances of a class, each with its own prototype."""
    strength: float
    """Root mean square of a prototype."""
    instance: float
    """Standard deviation of what one event of one video adds to its prototype."""
    video: float
    """Standard deviation of a video's background, constant over its ten segments."""
    confusion: float
    """Share of a prototype's amplitude, 0 to 1, that its group of similar classes has in common."""
    shared: float
    """Share of a prototype's energy, 0 to 1, that the appearance modes of a class have in common."""
    gain: float
    """Standard deviation of the logarithm of an event's loudness or visibility."""
    speech: float = 1.0
    """Factor of the strength of Speech, the class that public audio features represent best."""


@dataclass(frozen=True)
class TwinScale:
    """One scale of the twin: how many videos, how large the features, how hard the events are to recognise."""

    name: str
    videos: tuple[int, int, int]
    """Videos in the train, val and test splits."""
    audio_size: int
    visual_2d_size: int
    visual_3d_size: int
    audio: ModalityModel
    visual: ModalityModel
    hidden_size: int
    """Width of the task network for which the scale is calibrated."""
    recipe: str
    """Name of the training recipe for which the scale is calibrated."""
    lift_noise: float = 0.0
    """Standard deviation of the noise added after a latent vector is lifted to a larger feature size."""


TWIN_SCALES: Final[dict[str, TwinScale]] = {
    "tiny": TwinScale(
        name="tiny",
        videos=(1600, 320, 320),
        audio_size=32,
        visual_2d_size=48,
        visual_3d_size=24,
        audio=ModalityModel(32, 1, 1.2, 0.8, 0.7, 0.5, 0.3, 0.5),
        visual=ModalityModel(72, 2, 1.35, 0.9, 0.7, 0.5, 0.5, 0.5),
        hidden_size=32,
        recipe="compact-tiny",
    ),
    "small": TwinScale(
        name="small",
        videos=(10000, 649, 1200),
        audio_size=32,
        visual_2d_size=64,
        visual_3d_size=32,
        audio=ModalityModel(32, 1, 0.65, 0.8, 0.7, 0.5, 0.3, 0.5),
        visual=ModalityModel(96, 4, 0.65, 1.0, 0.7, 0.5, 0.3, 0.5),
        hidden_size=64,
        recipe="compact",
    ),
    "full": TwinScale(
        name="full",
        videos=(10000, 649, 1200),
        audio_size=128,
        visual_2d_size=2048,
        visual_3d_size=512,
        audio=ModalityModel(32, 1, 0.7, 0.8, 0.7, 0.5, 0.3, 0.5),
        visual=ModalityModel(96, 4, 0.7, 1.0, 0.7, 0.5, 0.3, 0.5),
        hidden_size=512,
        recipe="rlld",
        lift_noise=0.3,
    ),
}


def twin_scale(name: str) -> TwinScale:
    """Return the scale called ``name`` ("tiny", "small" or "full"); raise InputError for any other name."""
    if name not in TWIN_SCALES:
        raise InputError(f'unknown twin scale "{name}"; choose one of {", ".join(TWIN_SCALES)}')
    return TWIN_SCALES[name]
