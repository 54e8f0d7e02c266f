"""JoMoLD's noise ratios and removals for all batches of an epoch at once, on arrays (Cheng et al., ECCV 2022)."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rlld_agents.baselines.parts.jomold_rule import (
    AUDIO_CONFIDENCE,
    VISUAL_CONFIDENCE,
    NoiseRatios,
    Removals,
    WarmUp,
    jomold_removals,
    warm_up_factor,
)
from rlld_agents.baselines.parts.jomold_rule import noise_ratios as ratios_of
from rlld_gym.parsing.losses import smooth_labels

Array = TypeVar("Array", NDArray[Any], Tensor)


def estimate_noise_ratios(  # noqa: PLR0917
    prob_audio: Array,
    prob_visual: Array,
    labels: Array,
    batch_size: int = 128,
    audio_threshold: float = 0.6,
    visual_threshold: float = 1.8,
) -> tuple[Array, Array]:
    """Estimate which share of each class's labels is noise, per modality (JoMoLD's second stage).

    A label is counted as noise when its smoothed target times its probability, over the mean probability of
    the class in all videos (the mean of the batches' means), is below the threshold.

    Args:
        prob_audio: (N, C) float in [0, 1], the noise estimator's pooled probabilities, numpy or torch.
        prob_visual: likewise.
        labels: (N, C), the weak labels, bool or 0 and 1.
        batch_size: videos of a batch; the last batch may be smaller.
        audio_threshold: positive.
        visual_threshold: positive.

    Returns:
        Audio and visual noise ratios, (C,) float64 in [0, 1] each, of the inputs' kind; 0 for a class without
        labels.

    Raises:
        ValueError: shapes differ, or the batch size is below 1.
    """
    audio, visual, present = _tensors(batch_size, prob_audio, prob_visual, labels)
    ratios = ratios_of(
        audio,
        visual,
        present,
        batch_size=batch_size,
        audio_threshold=audio_threshold,
        visual_threshold=visual_threshold,
    )
    return _like(prob_audio, ratios.audio), _like(prob_audio, ratios.visual)


def denoise_epoch(  # noqa: PLR0917
    prob_audio: Array,
    prob_visual: Array,
    labels: Array,
    noise_ratios: Sequence[Array],
    epoch: int,
    batch_size: int = 128,
    warm_up_epochs: float = 0.9,
    warm_up: WarmUp = "released",
) -> tuple[Array, Array]:
    """Return the training targets of an epoch after JoMoLD's removal, for videos in stored order.

    Args:
        prob_audio: (N, C) float in [0, 1], pooled probabilities of the pass without cross-attention, numpy or
            torch.
        prob_visual: likewise.
        labels: (N, C), the weak labels, bool or 0 and 1.
        noise_ratios: audio and visual, (C,) each, as ``estimate_noise_ratios`` returns them.
        epoch: counted from 1.
        batch_size: videos of a batch; decides how many labels a ratio comes to.
        warm_up_epochs: length of the warm-up in epochs.
        warm_up: "released" or "linear", see ``warm_up_factor``.

    Returns:
        Audio and visual targets, (N, C) float32 each, of the inputs' kind: smoothed labels (visual 0.05 and
        0.95), and exactly 0 where a label was removed.

    Raises:
        ValueError: shapes differ, or the batch size is below 1.
    """
    audio, visual, present = _tensors(batch_size, prob_audio, prob_visual, labels)
    ratios = NoiseRatios(*(_tensor(ratio).to(audio.device).double() for ratio in noise_ratios))
    removals = removals_in_stored_order(
        audio,
        visual,
        present,
        ratios,
        batch_size=batch_size,
        epoch=epoch,
        warm_up_epochs=warm_up_epochs,
        warm_up=warm_up,
    )
    audio_targets = smooth_labels(present, AUDIO_CONFIDENCE).masked_fill(removals.audio, 0.0)
    visual_targets = smooth_labels(present, VISUAL_CONFIDENCE).masked_fill(removals.visual, 0.0)
    return _like(prob_audio, audio_targets), _like(prob_audio, visual_targets)


def removals_in_stored_order(
    prob_audio: Tensor,
    prob_visual: Tensor,
    labels: Tensor,
    ratios: NoiseRatios,
    *,
    batch_size: int,
    clamp: float = 1e-7,
    visual_confidence: float = VISUAL_CONFIDENCE,
    epoch: int | None = None,
    warm_up_epochs: float = 0.0,
    warm_up: WarmUp = "released",
) -> Removals:
    """Apply the rule to all batches at once; (N, C) each. No epoch means the full ratios."""
    audio, visual, present = (_in_batches(values, batch_size) for values in (prob_audio, prob_visual, labels))
    batches = len(audio)
    number = torch.arange(batches, device=labels.device)
    factor = warm_up_factor(epoch or 1, number, batches, warm_up_epochs if epoch else 0.0, warm_up)
    scaled = NoiseRatios(*(factor[:, None, None] * ratio for ratio in ratios))
    removals = jomold_removals(audio, visual, present, scaled, clamp, visual_confidence)
    return Removals(*(part.flatten(0, 1)[: len(labels)] for part in removals))


def _in_batches(values: Tensor, batch_size: int) -> Tensor:
    """Cut (N, C) into (batches, batch_size, C); the last batch is filled up with zeros."""
    batches = -(-len(values) // batch_size)
    padded = functional.pad(values, (0, 0, 0, batches * batch_size - len(values)))
    return padded.reshape(batches, batch_size, values.shape[1])


def _tensors(batch_size: int, *arrays: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Return the arrays as tensors of one shape (ValueError otherwise), the labels as 0.0 and 1.0."""
    audio, visual, labels = map(_tensor, arrays)
    if batch_size < 1 or audio.ndim != 2 or not audio.shape == visual.shape == labels.shape:
        raise ValueError(
            f"prob_audio {tuple(audio.shape)}, prob_visual {tuple(visual.shape)} and labels "
            f"{tuple(labels.shape)} must have one shape (N, C), and batch_size {batch_size} be at least 1"
        )
    return audio, visual, (labels > 0).float()


def _tensor(values: Any) -> Tensor:
    """Return a tensor as it is, or an array's copy: torch has no read-only tensors."""
    return values if isinstance(values, Tensor) else torch.from_numpy(np.array(values))


def _like(model: Any, values: Tensor) -> Any:
    """Return a tensor as the kind of array that ``model`` is."""
    return values if isinstance(model, Tensor) else values.numpy()
