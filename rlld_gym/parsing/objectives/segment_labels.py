"""Labels of segments: what a teacher says about those classes that a video is labelled with."""

import torch
from torch import Tensor

from rlld_gym.parsing.losses import Targets


def positive_labels(targets: Targets) -> Tensor:
    """Return which classes a modality is labelled with, (B, 2, C) float, 0 or 1; smoothed labels are rounded."""
    return (torch.stack((targets.audio, targets.visual), 1) > 0.5).to(targets.audio.dtype)


def segment_labels(teachers: tuple[Tensor, Tensor], targets: Targets) -> Tensor:
    """Return teachers' labels of the classes that a modality is labelled with.

    Args:
        teachers: audio and visual, (B, T, C) float in [0, 1] each.
        targets: (B, C) each; a label that was removed from a modality is removed from all its segments.

    Returns:
        (B, T, 2, C) float in [0, 1].
    """
    return torch.stack(teachers, 2) * positive_labels(targets).unsqueeze(1)
