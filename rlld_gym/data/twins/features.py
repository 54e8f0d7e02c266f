"""Features of the twin: class prototypes, confusable groups, event and video variation, noise.

In the latent space of a modality, segment t of a video is

    x[t] = background + noise[t] + sum over events e present at t of gain_e (prototype_e + instance_e)

with one gain, one prototype (that of an appearance mode of its class) and one instance vector for every event of
every video, one background for every video, and noise of standard deviation 1. A prototype mixes a part shared by a
group of similar classes, a part shared by all appearance modes of the class, and a part of its own. Large feature
sizes are a random isometric lift of the latent space plus noise, so that they are as redundant as features of deep
networks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import CLASSES, SPEECH
from rlld_gym.data.twins.labels import BoolArray
from rlld_gym.data.twins.scales import ModalityModel

FloatArray = NDArray[np.float32]

GROUPS: tuple[tuple[str, ...], ...] = (
    ("Car", "Chainsaw", "Vacuum_cleaner", "Lawn_mower", "Motorcycle", "Helicopter", "Blender"),
    ("Speech", "Cheering", "Singing", "Baby_laughter", "Baby_cry_infant_cry", "Clapping"),
    ("Cello", "Banjo", "Violin_fiddle", "Accordion", "Acoustic_guitar"),
    ("Dog", "Cat", "Chicken_rooster"),
    ("Frying_(food)", "Basketball_bounce", "Fire_alarm", "Telephone_bell_ringing"),
)
"""Classes that look or sound alike: engines, people, instruments, animals, household."""


def _directions(count: int, size: int, generator: np.random.Generator) -> FloatArray:
    """Return ``count`` vectors of root mean square 1 that are as orthogonal as ``size`` coordinates allow."""
    blocks = []
    for start in range(0, count, size):
        orthonormal = np.linalg.qr(generator.standard_normal((size, size)))[0]
        blocks.append(orthonormal[: min(size, count - start)] * np.sqrt(size))
    return np.concatenate(blocks).astype(np.float32)


def draw_prototypes(model: ModalityModel, generator: np.random.Generator) -> FloatArray:
    """Draw the prototypes (C, modes, latent_size) of a modality, each with root mean square near ``strength``."""
    group_of_class = np.array(
        [next(g for g, group in enumerate(GROUPS) if name in group) for name in CLASSES]
    )
    number = len(CLASSES)
    vectors = _directions(len(GROUPS) + number + number * model.modes, model.latent_size, generator)
    group, own, mode = np.split(vectors, [len(GROUPS), len(GROUPS) + number])
    if model.modes == 1:
        individual = own[:, None]
    else:
        mode = mode.reshape(number, model.modes, -1)
        individual = np.sqrt(model.shared) * own[:, None] + np.sqrt(1 - model.shared) * mode
    mixed = model.confusion * group[group_of_class, None] + np.sqrt(1 - model.confusion**2) * individual
    mixed[SPEECH] *= model.speech
    return np.asarray(model.strength * mixed, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class SharedContext:
    """What the audio and the visual track of a video have in common beyond the labels.

    It takes the place of part of what each modality draws for itself, so that each track on its own is distributed
    as without it.
    """

    correlation: float
    """Of the modalities' backgrounds, coordinate by coordinate, and of the logarithms of their gains, 0 to 1."""
    background: FloatArray
    """(N, K) standard normal: of the first K coordinates of the background."""
    gain: FloatArray
    """(N, C) standard normal: of the gain of each class's event, loud where it is plain to see."""

    @classmethod
    def draw(
        cls, correlation: float, num_videos: int, size: int, generator: np.random.Generator
    ) -> "SharedContext":
        """Draw the context of ``num_videos`` videos in ``size`` coordinates."""
        background = generator.standard_normal((num_videos, size), dtype=np.float32)
        gain = generator.standard_normal((num_videos, len(CLASSES)), dtype=np.float32)
        return cls(correlation, background, gain)

    def mixed(self, own: FloatArray, common: FloatArray) -> FloatArray:
        """Return standard normal numbers that correlate with those of the other modality."""
        share = np.float32(self.correlation)
        mixed: FloatArray = np.sqrt(1 - share) * own + np.sqrt(share) * common
        return mixed


def draw_latents(
    dense: BoolArray,
    prototypes: FloatArray,
    model: ModalityModel,
    generator: np.random.Generator,
    shared: SharedContext | None = None,
) -> FloatArray:
    """Draw latent vectors of every segment.

    Args:
        dense: events present in each segment (N, T, C), bool.
        prototypes: (C, modes, latent_size) from ``draw_prototypes``.
        model: parameters of the modality.
        generator: source of randomness.
        shared: what the videos' tracks have in common beyond the labels; None: nothing.

    Returns:
        Latent vectors (N, T, latent_size), float32.
    """
    num_videos, num_segments, _ = dense.shape
    latents = generator.standard_normal((num_videos, num_segments, model.latent_size), dtype=np.float32)
    background = generator.standard_normal((num_videos, 1, model.latent_size), dtype=np.float32)
    if shared is not None:
        common = shared.background[:, None]
        background[..., : common.shape[-1]] = shared.mixed(background[..., : common.shape[-1]], common)
    latents += model.video * background
    videos, classes = np.nonzero(dense.any(axis=1))
    events = prototypes[classes, generator.integers(model.modes, size=len(classes))]
    events += model.instance * generator.standard_normal(events.shape, dtype=np.float32)
    gain = generator.standard_normal((len(events), 1), dtype=np.float32)
    if shared is not None:
        gain = shared.mixed(gain, shared.gain[videos, classes, None])
    events *= np.exp(model.gain * gain)
    present = dense[videos, :, classes]
    rank_in_video = np.arange(len(videos)) - np.searchsorted(videos, videos)
    for rank in range(int(rank_in_video.max(initial=-1)) + 1):
        # At most one event of a rank in each video: a fancy-indexed += adds every event exactly once.
        chosen = rank_in_video == rank
        latents[videos[chosen]] += present[chosen, :, None] * events[chosen, None, :]
    return latents


@dataclass(frozen=True, eq=False)
class Lift:
    """A random isometry from ``latent`` to ``size`` coordinates, plus noise; the identity where the sizes agree."""

    matrix: FloatArray | None
    noise: float

    @classmethod
    def draw(cls, latent: int, size: int, noise: float, generator: np.random.Generator) -> "Lift":
        """Draw a lift; ``latent == size`` gives the identity without noise."""
        if latent == size:
            return cls(None, 0.0)
        orthonormal = np.linalg.qr(generator.standard_normal((size, latent)))[0]
        return cls(orthonormal.T.astype(np.float32), noise)

    def apply(self, latents: FloatArray, generator: np.random.Generator) -> NDArray[np.float16]:
        """Lift latents (N, T, latent) to features (N, T, size), float16."""
        if self.matrix is None:
            return latents.astype(np.float16)
        features = np.empty((*latents.shape[:2], self.matrix.shape[1]), dtype=np.float16)
        block = 256  # bounds the float32 temporary to tens of megabytes
        for start in range(0, len(latents), block):
            lifted = latents[start : start + block] @ self.matrix
            lifted += self.noise * generator.standard_normal(lifted.shape, dtype=np.float32)
            features[start : start + block] = lifted
        return features
