"""What the predictions of each class add to the score of a modality."""

import torch
from torch import Tensor


def class_contribution(
    pred_audio: Tensor, pred_visual: Tensor, true_audio: Tensor, true_visual: Tensor
) -> Tensor:
    """Return how much of the segment-level F of a modality would be lost without the predictions of a class.

    A video's F is the mean over the classes that are predicted or present (`rlld_gym.parsing.metrics`). Without its
    predictions a present class scores 0, and an absent one leaves the mean, which rises. A contribution is F less
    the F without the predictions of one class in one modality, the mean over the videos. Nothing waits for a GPU.

    Args:
        pred_audio: (N, T, C) bool, class c is predicted audible in segment t; N and T at least 1.
        pred_visual: likewise, visible.
        true_audio: (N, T, C) bool ground truth, on the same device.
        true_visual: likewise.

    Returns:
        (2, C) float64 in percent, audio then visual, from -100 to 100; negative where the predictions do harm, 0
        where there are none.
    """
    predicted = torch.stack((pred_audio, pred_visual)).sum(2, dtype=torch.float64)
    hits = torch.stack((pred_audio & true_audio, pred_visual & true_visual)).sum(2, dtype=torch.float64)
    present = torch.stack((true_audio, true_visual)).any(2)
    items = predicted + torch.stack((true_audio, true_visual)).sum(2, dtype=torch.float64)
    per_class = 2 * hits / items.clamp(min=1)
    relevant = items > 0
    total, number = per_class.sum(-1, keepdim=True), relevant.sum(-1, keepdim=True).double()
    score = _mean(total, number)
    # Only an absent class that is predicted leaves the mean, and it has added nothing to the total.
    without = _mean(total - per_class, number - (relevant & ~present).double())
    return 100 * torch.where(predicted > 0, score - without, 0.0).mean(1)


def _mean(total: Tensor, number: Tensor) -> Tensor:
    """Return the mean over classes; 1 where there is none, as the metric has it."""
    return torch.where(number > 0, total / number.clamp(min=1), 1.0)
