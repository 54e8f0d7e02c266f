"""Losses of weakly-supervised audio-visual video parsing on pooled (video-level) probabilities."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.networks import ParsingOutput


class Targets(NamedTuple):
    """What the three pooled outputs are trained towards; each (N, C) float32 in [0, 1]."""

    video: Tensor
    audio: Tensor
    visual: Tensor

    def rows(self, indices: Tensor) -> "Targets":
        """Return the targets of some videos; ``indices`` is (B,) int64 on the targets' device."""
        return Targets(*(target.index_select(0, indices) for target in self))


class LossWeights(NamedTuple):
    """Weights of the three cross-entropy terms."""

    video: float = 1.0
    audio: float = 1.0
    visual: float = 1.0


def smooth_labels(labels: Tensor, confidence: float) -> Tensor:
    """Pull labels towards one half: confidence * y + (1 - confidence) / 2 (Tian et al., ECCV 2020).

    Args:
        labels: any shape, float in [0, 1].
        confidence: in [0, 1]; 1 leaves the labels as they are.

    Returns:
        Smoothed labels of the same shape.
    """
    return labels if confidence == 1.0 else confidence * labels + (1.0 - confidence) * 0.5


def pooled_loss(output: ParsingOutput, targets: Targets, weights: LossWeights, clamp: float = 1e-7) -> Tensor:
    """Weighted sum of the binary cross-entropies of the video, audio and visual probabilities.

    Eq. 7-8 of RLLD (arXiv 2412.19563) with both terms of the cross-entropy: the positive term alone, as
    printed, would be minimised by predicting every class.

    Args:
        output: a task network's output; its pooled probabilities are (B, C).
        targets: (B, C) each.
        weights: one weight a term; each term is the mean over its B * C entries.
        clamp: probabilities are clamped to [clamp, 1 - clamp]; no gradient flows outside. The video
            probability of attentive pooling may exceed 1, so this is not only about rounding.

    Returns:
        Scalar loss.
    """
    # One fused call on the stacked terms: at narrow widths the cost is the number of calls.
    probabilities = torch.stack((output.video, output.audio, output.visual)).clamp(clamp, 1.0 - clamp)
    per_entry = functional.binary_cross_entropy(probabilities, torch.stack(targets), reduction="none")
    video, audio, visual = per_entry.mean(dim=(1, 2)).unbind()
    return weights.video * video + weights.audio * audio + weights.visual * visual


def contrastive_similarity(
    audio_sequence: Tensor, visual_sequence: Tensor, temperature: float = 0.2
) -> Tensor:
    """Cosine similarities of the audio segments with the visual segments of the same video.

    Cheng et al., "Joint-Modal Label Denoising for Weakly-Supervised Audio-Visual Video Parsing", ECCV 2022.

    Args:
        audio_sequence: (B, T, D).
        visual_sequence: (B, T, D).
        temperature: the cosines are divided by it.

    Returns:
        (B * T, T); row b * T + t is audio segment t of video b, whose positive is column t.
    """
    audio = functional.normalize(audio_sequence, dim=-1)
    visual = functional.normalize(visual_sequence, dim=-1)
    return (audio @ visual.transpose(1, 2) / temperature).flatten(0, 1)


def contrastive_loss_jomold(similarity: Tensor, smoothing: float = 0.1) -> Tensor:
    """Mean over rows of -log(sum_j r_j softmax_j), the logarithm outside the sum (Cheng et al., ECCV 2022).

    Args:
        similarity: (B * T, T) from ``contrastive_similarity``.
        smoothing: mass of the target r that is spread evenly over the T - 1 wrong segments.

    Returns:
        Scalar loss, at least -log(max(1 - smoothing, smoothing / (T - 1))); 0 for T = 1.
    """
    if similarity.shape[-1] == 1:
        return 0.0 * similarity.sum()  # a video of one segment has nothing to contrast with
    log_target = _contrastive_targets(similarity, smoothing).log()
    return -torch.logsumexp(similarity.log_softmax(dim=-1) + log_target, dim=-1).mean()


def contrastive_loss_ma(similarity: Tensor, smoothing: float = 0.1) -> Tensor:
    """Cross-entropy with the smoothed targets (Wu and Yang, "Exploring Heterogeneous Clues", CVPR 2021).

    Args:
        similarity: (B * T, T) from ``contrastive_similarity``.
        smoothing: mass of the target r that is spread evenly over the T - 1 wrong segments.

    Returns:
        Scalar loss; 0 for T = 1.
    """
    if similarity.shape[-1] == 1:
        return 0.0 * similarity.sum()  # a video of one segment has nothing to contrast with
    target = _contrastive_targets(similarity, smoothing)
    return -(target * similarity.log_softmax(dim=-1)).sum(dim=-1).mean()


def _contrastive_targets(similarity: Tensor, smoothing: float) -> Tensor:
    """Return (B * T, T) target weights r: 1 - smoothing at the same segment, the rest over the others."""
    rows, segments = similarity.shape
    if segments < 2 or rows % segments:
        raise ValueError(f"similarity must have shape (B * T, T) with T > 1, found {tuple(similarity.shape)}")
    same = torch.eye(segments, device=similarity.device, dtype=similarity.dtype)
    target = same * (1.0 - smoothing) + (1.0 - same) * (smoothing / (segments - 1))
    return target.repeat(rows // segments, 1)
