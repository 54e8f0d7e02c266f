"""Labels that every denoiser must be compared with; `rlld_agents.labels.controls` says why each."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rlld_agents.baselines.base import (
    EPOCH_SELECTION,
    CannotOfferError,
    Context,
    Denoised,
    to_numpy,
    weak_labels,
)
from rlld_agents.baselines.parts.parser import parser_in, with_contrastive_loss
from rlld_agents.labels import controls
from rlld_agents.labels.revised import LabelSet
from rlld_gym.data.classes import AUDIO_NOISE_RATE, VISUAL_NOISE_RATE
from rlld_gym.data.split import Split
from rlld_gym.errors import InputError

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Weak:
    """The video's labels for both modalities: nothing is removed."""

    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in the parser; the method "+ CL" has 1."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "weak" + "+cl" * bool(self.contrastive_weight)

    def denoise(self, context: Context) -> Denoised:
        """Return the weak labels."""
        denoised = Denoised(*controls.weak(_labels_of(context)))
        return with_contrastive_loss(denoised, context, self.contrastive_weight)


@dataclass(frozen=True)
class LabelSmoothing:
    """Weak labels, smoothed when a parser is trained on them (Tian et al., ECCV 2020)."""

    audio_confidence: float = 1.0
    """Audio targets are pulled towards one half by 1 minus this; 1 leaves them alone."""
    visual_confidence: float = 0.9
    """Likewise, visual: 0.9 turns 0 and 1 into 0.05 and 0.95."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        for option in ("audio_confidence", "visual_confidence"):
            _require_share(option, getattr(self, option))

    @property
    def name(self) -> str:
        """What tables call it."""
        return "label_smoothing"

    def denoise(self, context: Context) -> Denoised:
        """Train a parser with smoothed targets; no label is removed."""
        weak = weak_labels(context)
        recipe = context.recipe.replace(
            audio_confidence=self.audio_confidence, visual_confidence=self.visual_confidence
        )
        trained = parser_in(context, weak, weak, recipe)
        details = {"best_epoch": trained.best_epoch, "validation": trained.history}
        return Denoised(weak, weak.copy(), None, trained.network, EPOCH_SELECTION, details)


@dataclass(frozen=True)
class NoVisualSpeech:
    """One rule that anybody can guess: what is heard as Speech (or what the data name instead) is never seen."""

    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in the parser; the method "+ CL" has 1."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "no_visual_speech" + "+cl" * bool(self.contrastive_weight)

    def denoise(self, context: Context) -> Denoised:
        """Remove every visual Speech label; InputError for data without a class "Speech"."""
        kept = controls.no_visual_speech(_labels_of(context), context.never_visible_index)
        if kept is None:
            raise CannotOfferError(
                f'method {self.name!r}: the data have no class "Speech", only {", ".join(context.classes)}, and '
                "name no other that is hardly ever seen ('rlld data import --never-visible NAME'); leave the "
                "method out"
            )
        return with_contrastive_loss(_decided(kept, context), context, self.contrastive_weight)


@dataclass(frozen=True)
class RandomRemoval:
    """Labels drawn at random: is it which labels are removed that matters, or only how many?"""

    audio_rate: float | tuple[float, ...] = AUDIO_NOISE_RATE
    """Share of the audio labels to remove, in [0, 1]: of all of them, or one share per class. The default is
    the share of LLP's validation and test labels whose event is not heard."""
    visual_rate: float | tuple[float, ...] = VISUAL_NOISE_RATE
    """Likewise, visual; the default is the share whose event is not seen."""
    number: Literal["rates", "truth"] = "rates"
    """How many: as the rates say, or as many of each modality as the truth would remove; where it is unknown, as
    many as the rule "no visual Speech"."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        for option in ("audio_rate", "visual_rate"):
            for rate in np.atleast_1d(getattr(self, option)):
                _require_share(option, float(rate))

    @property
    def name(self) -> str:
        """What tables call it."""
        return "random"

    def denoise(self, context: Context) -> Denoised:
        """Remove at random; a video that would lose its last label in both modalities keeps all.

        Raises:
            InputError: rates per class whose number is not that of the classes, or nothing that tells how many.
        """
        weak, train = weak_labels(context), _labels_of(context)
        if self.number == "rates":
            numbers = [_count(weak, rate) for rate in (self.audio_rate, self.visual_rate)]
            return Denoised(*controls.remove_at_random(weak, numbers, context.seed))
        matched = controls.oracle(train) or controls.no_visual_speech(train, context.never_visible_index)
        if matched is None:
            raise CannotOfferError(
                f"method {self.name!r}: neither the truth nor a class that is hardly ever seen tells how many "
                "labels to remove; leave the method out"
            )
        return Denoised(*controls.random_removal(train, *matched, context.seed))


@dataclass(frozen=True)
class Oracle:
    """The truth, where it is known: what if every decision were right?"""

    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in the parser; the method "+ CL" has 1."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "oracle" + "+cl" * bool(self.contrastive_weight)

    def denoise(self, context: Context) -> Denoised:
        """Remove what is not heard or not seen; InputError where the training videos' truth is unknown."""
        kept = controls.oracle(_labels_of(context))
        if kept is None:
            raise CannotOfferError(
                f"method {self.name!r}: the training videos' true labels are unknown, as in all real data; "
                "leave the method out or use a twin"
            )
        return with_contrastive_loss(_decided(kept, context), context, self.contrastive_weight)


def _labels_of(context: Context) -> Split:
    """Return the training videos without features and names, which no control looks at."""
    train = context.data["train"]
    nothing = np.empty((len(train), train.audio.shape[1], 0), np.float32)
    return Split(
        name="train",
        filenames=("",) * len(train),
        audio=nothing,
        visual=nothing,
        labels=weak_labels(context),
        dense_audio=None if train.dense_audio is None else to_numpy(train.dense_audio),
        dense_visual=None if train.dense_visual is None else to_numpy(train.dense_visual),
    )


def _decided(kept: LabelSet, context: Context) -> Denoised:
    """Return labels whose removal score is 1 where they were removed and 0 elsewhere."""
    weak = weak_labels(context)
    score = np.stack([weak & ~labels for labels in kept], axis=1).astype(np.float32)
    return Denoised(*kept, score)


def _count(weak: Bools, rate: float | tuple[float, ...]) -> int | list[int]:
    """Return how many labels to remove, of all or of each class: as many as the rate says, rounded."""
    if isinstance(rate, float | int):
        return round(rate * int(weak.sum()))
    if len(rate) != weak.shape[1]:
        raise InputError(
            f"random removal: found {len(rate)} rates, expected one, or {weak.shape[1]}, one per class"
        )
    return [round(share * int(number)) for share, number in zip(rate, weak.sum(axis=0), strict=True)]


def _require_share(option: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{option} is {value}, expected a number from 0 to 1")
