"""Variants of the twins: each breaks one assumption that a method may make, and is otherwise the twin it varies.

A variant is a few numbers that change any scale. It draws what it changes from a source of randomness of its own,
so that everything else is that of the twin with the same seed, bit for bit where that is possible (docs/twin.md).
"""

from dataclasses import dataclass
from typing import Final, Literal

from rlld_gym.data.twins.scales import TWIN_SCALES
from rlld_gym.errors import InputError

VariantName = Literal["context", "shift", "weak", "wrong", "dependent"]


@dataclass(frozen=True)
class Shift:
    """How validation videos differ from the others.

    Classes take turns: the first, third, ... of `CLASSES` (Speech among them) go down, the others up.
    """

    class_rate: float
    """Factor, above 1, of a label set's weight for each of its classes that go up; its inverse for the others."""
    noise_odds: float
    """Factor, above 1, of the weight of patterns in which a class that goes up is unheard or unseen; its inverse
    for the others."""


@dataclass(frozen=True)
class DependentNoise:
    """A class that is unseen with a probability that depends on what else the video is labelled with."""

    event: str
    """The class."""
    companions: tuple[str, ...]
    """Classes whose company changes the probability."""
    unseen_with: float
    """Probability that the event is not seen in a video labelled with at least one companion."""
    unseen_without: float
    """Probability that it is not seen in any other video."""


@dataclass(frozen=True)
class TwinVariant:
    """What a variant changes in a twin. The defaults change nothing."""

    breaks: str
    """The assumption that it breaks, in a line."""
    signal: float = 1.0
    """Factor of the strength of all prototypes."""
    context: float = 0.0
    """Correlation, 0 to 1, of one modality's background and gains with the other's."""
    validation: Shift | None = None
    """How validation videos differ; None: they do not."""
    wrong_dense: float = 0.0
    """Share of the validation videos' modality labels that are wrong, 0 to 0.5."""
    dependent: DependentNoise | None = None
    """A class whose visual noise depends on the video; None: there is none."""


UNCHANGED: Final = TwinVariant(breaks="nothing")

VARIANTS: Final[dict[VariantName, TwinVariant]] = {
    "context": TwinVariant(
        breaks="audio and visual tracks share a context beyond the labels",
        context=0.9,
    ),
    "shift": TwinVariant(
        breaks="validation videos have other class rates and other noise rates than training and test videos",
        validation=Shift(class_rate=2.0, noise_odds=3.0),
    ),
    "weak": TwinVariant(
        breaks="features show the events less clearly",
        signal=0.8,
    ),
    "wrong": TwinVariant(
        breaks="one in ten modality labels of the validation videos' dense labels is wrong",
        wrong_dense=0.1,
    ),
    # Together .78 of visual Speech is noise as in every twin: a quarter of the Speech videos has such company.
    "dependent": TwinVariant(
        breaks="whether Speech is seen depends on the other labels: mostly with human sounds, else hardly ever",
        dependent=DependentNoise(
            event="Speech",
            companions=("Cheering", "Singing", "Baby_laughter", "Baby_cry_infant_cry", "Clapping"),
            unseen_with=0.35,
            unseen_without=0.917,
        ),
    ),
}
"""The variants by name; "twin-small-context" is the scale "small" with the variant "context"."""

TWIN_NAMES: Final[tuple[str, ...]] = (
    *(f"twin-{scale}" for scale in TWIN_SCALES),
    *(f"twin-{scale}-{variant}" for scale in TWIN_SCALES for variant in VARIANTS),
)
"""Names of all twins: three scales, and each with each variant."""

KNOWN_TWINS: Final = (
    f"{', '.join(f'twin-{scale}' for scale in TWIN_SCALES)}, one of these followed by "
    f"{', '.join(f'-{variant}' for variant in VARIANTS)}"
)
"""The same in a phrase, for messages."""


def twin_variant(name: str | None) -> TwinVariant:
    """Return a variant by name, for None one that changes nothing; raise InputError for any other name."""
    if name is None:
        return UNCHANGED
    for known, variant in VARIANTS.items():
        if known == name:
            return variant
    raise InputError(f'unknown variant "{name}" of a twin; choose one of {", ".join(VARIANTS)}, or none')


def twin_name(scale: str, variant: str | None) -> str:
    """Return what a twin is called."""
    return f"twin-{scale}" if variant is None else f"twin-{scale}-{variant}"


def twin_parts(name: str) -> tuple[str, str | None]:
    """Return scale and variant of one of `TWIN_NAMES`."""
    _, scale, *variant = name.split("-")
    return scale, variant[0] if variant else None
