"""Segment-wise pseudo labels: how rich segments and classes are in events, and labels that a parser doubts.

After Zhou et al., "Improving Audio-Visual Video Parsing with Pseudo Visual Labels" (arXiv 2303.02344) and its
extension (arXiv 2406.00919), of which the idea is public and little of the numbers: what is ours says so.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.errors import InputError


class Richness(NamedTuple):
    """Two summaries of a modality's segment labels, in [0, 1].

    Attributes:
        category: (..., T), the share of the video's classes that occur in a segment; 0 for videos without labels.
        segment: (..., C), the share of the video's segments in which a class occurs.
    """

    category: Tensor
    segment: Tensor


def richness(segments: Tensor, video_labels: Tensor) -> Richness:
    """Summarise labels, or probabilities, of segments.

    Args:
        segments: (..., T, C) float in [0, 1].
        video_labels: (..., C) float, 0 or 1; the category share counts these classes only.
    """
    known = video_labels.sum(-1, keepdim=True).clamp(min=1)
    category = (segments * video_labels.unsqueeze(-2)).sum(-1) / known
    return Richness(category, segments.mean(-2))


def richness_loss(probabilities: Tensor, pseudo_labels: Tensor, video_labels: Tensor) -> Tensor:
    """Binary cross-entropy of the predicted shares towards those of the pseudo labels.

    Args:
        probabilities: (..., T, C), of segments.
        pseudo_labels: (..., T, C) float in [0, 1].
        video_labels: (..., C) float, 0 or 1.

    Returns:
        Scalar: the mean over segments plus the mean over classes. The sum of the two is ours.
    """
    predicted = richness(probabilities, video_labels)
    wanted = richness(pseudo_labels, video_labels)
    category, segment = (
        functional.binary_cross_entropy(share.clamp(1e-7, 1 - 1e-7), target)
        for share, target in zip(predicted, wanted, strict=True)
    )
    return category + segment


def flipped(
    pseudo_labels: Tensor,
    probabilities: Tensor,
    video_labels: Tensor,
    *,
    smallest: int = 5,
    ratio: float = 5.0,
) -> Tensor:
    """Turn over the pseudo labels whose loss is abnormally large for their video and class.

    That is more than ``ratio`` times the mean of the ``smallest`` losses among the segments. Ours: both numbers;
    that losses are compared within a video; and that a parser must also be on the other side of one half, without
    which a class that it is sure of everywhere would flip for a trifle.

    Args:
        pseudo_labels: (..., T, C) float, 0 or 1.
        probabilities: (..., T, C), of a trained parser without dropout.
        video_labels: (..., C) float, 0 or 1; labels of other classes stay.
        smallest: K, at least 1; all segments where there are fewer.
        ratio: above 1.

    Returns:
        (..., T, C) float, 0 or 1: labels to train another parser with.

    Raises:
        InputError: ``smallest`` or ``ratio`` out of range.
    """
    if smallest < 1:
        raise InputError(f"smallest is {smallest}: expected at least 1")
    if ratio <= 1:
        raise InputError(f"ratio is {ratio}: expected a number above 1")
    losses = functional.binary_cross_entropy(
        probabilities.clamp(1e-7, 1 - 1e-7), pseudo_labels, reduction="none"
    )
    count = min(smallest, losses.shape[-2])
    usual = losses.topk(count, dim=-2, largest=False).values.mean(-2, keepdim=True)
    contradicted = (probabilities >= 0.5) != (pseudo_labels >= 0.5)
    abnormal = (losses > ratio * usual) & contradicted & (video_labels.unsqueeze(-2) > 0)
    return torch.where(abnormal, 1 - pseudo_labels, pseudo_labels)
