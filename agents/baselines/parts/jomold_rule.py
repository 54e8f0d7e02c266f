"""Noise ratios and removal rule of JoMoLD (Cheng et al., ECCV 2022), on all classes of a batch at once."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

AUDIO_CONFIDENCE = 1.0
VISUAL_CONFIDENCE = 0.9
"""Label smoothing of the method's targets as published: audio 0 and 1, visual 0.05 and 0.95 (``smooth_labels``)."""

WarmUp = Literal["released", "linear"]


class NoiseRatios(NamedTuple):
    """Share of each class's labels that is noise, (C,) float64 in [0, 1] each."""

    audio: Tensor
    visual: Tensor


class Removals(NamedTuple):
    """What the rule removes, and how close it came to removing the rest.

    Attributes:
        audio: (..., B, C) bool, the labels to remove.
        visual: likewise.
        audio_share: (..., B, C) float64, the least noise ratio at which the label would be removed; infinite
            where there is no label.
        visual_share: likewise.
    """

    audio: Tensor
    visual: Tensor
    audio_share: Tensor
    visual_share: Tensor


def noise_ratios(
    prob_audio: Tensor,
    prob_visual: Tensor,
    labels: Tensor,
    *,
    batch_size: int,
    audio_threshold: float,
    visual_threshold: float,
    visual_confidence: float = VISUAL_CONFIDENCE,
) -> NoiseRatios:
    """Estimate noise ratios; see ``rlld_agents.baselines.jomold.estimate_noise_ratios``.

    The visual confidence is that of the targets with which the noise estimator was trained.
    """
    positive = labels > 0
    count = positive.sum(0).clamp(min=1).double()
    ratios = []
    for probability, threshold, confidence in (
        (prob_audio, audio_threshold, AUDIO_CONFIDENCE),
        (prob_visual, visual_threshold, visual_confidence),
    ):
        target = confidence + (1.0 - confidence) * 0.5
        # The last, smaller batch counts as much as a full one, as in the method's own code.
        mean = torch.stack([batch.mean(0) for batch in torch.split(probability, batch_size)]).mean(0)
        noisy = positive & (target * probability / mean < threshold)
        ratios.append(noisy.sum(0) / count)
    return NoiseRatios(*ratios)


def warm_up_factor(
    epoch: int, batch: Tensor, batches: int, warm_up_epochs: float, warm_up: WarmUp = "released"
) -> Tensor:
    """Return by what the noise ratios are multiplied in some batches of an epoch.

    Args:
        epoch: counted from 1.
        batch: any shape, int64: numbers of batches in the epoch, counted from 0.
        batches: number of batches of an epoch.
        warm_up_epochs: length of the warm-up; 0: none.
        warm_up: "released": the method's code carries the reduced ratios from batch to batch of an epoch, and
            the factor of the first batch is 0: nothing is removed in epoch 1, and from epoch 2 on everything
            if the warm-up is at most one epoch long. "linear": what was meant, a ramp from 0 to 1.

    Returns:
        The shape of ``batch``, float64 in [0, 1].
    """
    if warm_up_epochs <= 0:
        return torch.ones_like(batch, dtype=torch.float64)

    def ramp(number: Tensor) -> Tensor:
        return (((epoch - 1) * batches + number) / (warm_up_epochs * batches)).double().clamp(max=1.0)

    if warm_up == "linear":
        return ramp(batch)
    carried = ramp(torch.arange(batches, device=batch.device)).cumprod(0)
    return carried[batch]


def jomold_removals(  # noqa: PLR0917
    prob_audio: Tensor,
    prob_visual: Tensor,
    labels: Tensor,
    ratios: NoiseRatios,
    clamp: float = 1e-7,
    visual_confidence: float = VISUAL_CONFIDENCE,
) -> Removals:
    """Decide which labels of a batch are noise (Cheng et al., ECCV 2022, section 3.3).

    Of the P labels of a class in the batch, k = trunc(ratio * P) are suspected: the visual labels that are
    among the k with the largest visual and among the k with the smallest audio loss are removed; audio labels
    the other way round. Both decisions are made before either is applied, so a label may go in both
    modalities.

    Args:
        prob_audio: (..., B, C) float in [0, 1], pooled probabilities without cross-attention.
        prob_visual: likewise.
        labels: (..., B, C), the weak labels; rows without labels take no part.
        ratios: (C,) or (..., 1, C) each: noise ratios, already scaled by the warm-up.
        clamp: of the probabilities, before the cross-entropy.
        visual_confidence: of the targets in the visual loss, before removals.

    Returns:
        The decisions, of the inputs' shape. Equal losses are ranked by position in the batch.
    """
    positive = labels > 0
    count = positive.sum(-2, keepdim=True)
    ranks = []
    for probability, confidence in ((prob_audio, AUDIO_CONFIDENCE), (prob_visual, visual_confidence)):
        target = torch.full_like(probability, confidence + (1.0 - confidence) * 0.5)
        loss = functional.binary_cross_entropy(
            probability.clamp(clamp, 1.0 - clamp), target, reduction="none"
        )
        order = loss.masked_fill(~positive, torch.inf).argsort(dim=-2, stable=True)
        places = torch.arange(labels.shape[-2], device=labels.device).unsqueeze(-1).expand_as(order)
        ranks.append(torch.empty_like(order).scatter_(-2, order, places.contiguous()))
    removed, shares = [], []
    for mine, other, ratio in ((ranks[0], ranks[1], ratios.audio), (ranks[1], ranks[0], ratios.visual)):
        suspects = torch.trunc(ratio * count)
        # Removed by a suspicion of at least this many labels: both rankings then reach the label.
        needed = torch.maximum(count - mine, other + 1)
        removed.append(positive & (needed <= suspects))
        shares.append((needed / count.clamp(min=1)).double().masked_fill(~positive, torch.inf))
    return Removals(removed[0], removed[1], shares[0], shares[1])
