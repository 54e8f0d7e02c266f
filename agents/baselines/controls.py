"""Labels that every denoiser must be compared with; `rlld_agents.labels.controls` says why each."""

from dataclasses import dataclass

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
from rlld_agents.baselines.parts.parser import parser_in
from rlld_agents.labels import controls
from rlld_gym.data.classes import NUM_SEGMENTS
from rlld_gym.data.split import Split
from rlld_gym.errors import InputError

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Weak:
    """The video's labels for both modalities: nothing is removed."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "weak"

    def denoise(self, context: Context) -> Denoised:
        """Return the weak labels."""
        return Denoised(*controls.weak(_labels_of(context)))


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
    """One rule that anybody can guess: what is heard as Speech is never seen."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "no_visual_speech"

    def denoise(self, context: Context) -> Denoised:
        """Remove every visual Speech label; InputError for data without a class "Speech"."""
        kept = controls.no_visual_speech(_labels_of(context), context.classes)
        if kept is None:
            raise CannotOfferError(
                f'method {self.name!r}: the data have no class "Speech", only {", ".join(context.classes)}; '
                "leave the method out"
            )
        return _decided(kept, context)


@dataclass(frozen=True)
class RandomRemoval:
    """Labels drawn at random: is it which labels are removed that matters, or only how many?"""

    audio_rate: float | tuple[float, ...] = 0.053
    """Share of the audio labels to remove, in [0, 1]: of all of them, or one share per class. The default is
    the share of LLP's validation and test labels whose event is not heard."""
    visual_rate: float | tuple[float, ...] = 0.355
    """Likewise, visual; the default is the share whose event is not seen."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        for option in ("audio_rate", "visual_rate"):
            for rate in np.atleast_1d(getattr(self, option)):
                _require_share(option, float(rate))

    @classmethod
    def matching(cls, denoised: Denoised, weak: Bools, per_class: bool = False) -> "RandomRemoval":
        """Return random removal at another method's rates.

        Args:
            denoised: what the other method left.
            weak: (N, C) bool, the weak labels.
            per_class: match the rate of every class; False matches that of all labels together.
        """
        axis = 0 if per_class else None
        present = np.maximum(weak.sum(axis), 1)
        rates = [(weak & ~kept).sum(axis) / present for kept in (denoised.audio, denoised.visual)]
        audio, visual = (tuple(map(float, rate)) if per_class else float(rate) for rate in rates)
        return cls(audio, visual)

    @property
    def name(self) -> str:
        """What tables call it."""
        return "random"

    def denoise(self, context: Context) -> Denoised:
        """Remove at random; a video that would lose its last label in both modalities keeps all.

        Raises:
            InputError: rates per class whose number is not that of the classes.
        """
        weak = weak_labels(context)
        generator = np.random.default_rng(context.seed)
        kept = [weak & ~_draw(weak, rate, generator) for rate in (self.audio_rate, self.visual_rate)]
        emptied = ~(kept[0] | kept[1]).any(axis=1, keepdims=True)
        audio, visual = (labels | (weak & emptied) for labels in kept)
        return Denoised(audio, visual)


@dataclass(frozen=True)
class Oracle:
    """The truth, where it is known: what if every decision were right?"""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "oracle"

    def denoise(self, context: Context) -> Denoised:
        """Remove what is not heard or not seen; InputError where the training videos' truth is unknown."""
        kept = controls.oracle(_labels_of(context))
        if kept is None:
            raise CannotOfferError(
                f"method {self.name!r}: the training videos' true labels are unknown, as in all real data; "
                "leave the method out or use a twin"
            )
        return _decided(kept, context)


def _labels_of(context: Context) -> Split:
    """Return the training videos without features and names, which no control looks at."""
    train = context.data["train"]
    nothing = np.empty((len(train), NUM_SEGMENTS, 0), np.float32)
    return Split(
        name="train",
        filenames=("",) * len(train),
        audio=nothing,
        visual=nothing,
        labels=weak_labels(context),
        dense_audio=None if train.dense_audio is None else to_numpy(train.dense_audio),
        dense_visual=None if train.dense_visual is None else to_numpy(train.dense_visual),
    )


def _decided(kept: controls.LabelSet, context: Context) -> Denoised:
    """Return labels whose removal score is 1 where they were removed and 0 elsewhere."""
    weak = weak_labels(context)
    score = np.stack([weak & ~labels for labels in kept], axis=1).astype(np.float32)
    return Denoised(*kept, score)


def _draw(weak: Bools, rate: float | tuple[float, ...], generator: np.random.Generator) -> Bools:
    """Return (N, C) bool: the labels to remove, as many as the rate says, rounded."""
    number, classes = weak.shape
    if isinstance(rate, tuple) and len(rate) != classes:
        raise InputError(
            f"random removal: found {len(rate)} rates, expected one, or {classes}, one per class"
        )
    # Absent labels draw a number that no label can: the smallest of a group are then always labels.
    drawn = np.where(weak, generator.random(weak.shape), 2.0)
    groups = drawn if isinstance(rate, tuple) else drawn.reshape(-1, 1)
    removals = np.rint(np.asarray(rate) * (groups < 2.0).sum(axis=0)).astype(np.int64)
    rank = groups.argsort(axis=0).argsort(axis=0)
    removed: Bools = (rank < removals).reshape(number, classes)
    return removed


def _require_share(option: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise InputError(f"{option} is {value}, expected a number from 0 to 1")
