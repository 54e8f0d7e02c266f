"""What a task network is trained towards: targets from the labels of the training videos."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.losses import Targets, smooth_labels
from rlld_gym.parsing.recipes import Recipe

Labels = Tensor | NDArray[Any]


def training_targets(
    audio_labels: Tensor, visual_labels: Tensor, original_labels: Tensor, recipe: Recipe
) -> Targets:
    """Return what a network is trained towards, given (revised) labels.

    Smoothing pulls kept positives and classes that were never positive towards one half, but a removed
    positive becomes exactly 0 (as in Cheng et al., ECCV 2022). The video target is the union of both
    modalities (Eq. 6 of RLLD, arXiv 2412.19563) or the original label, as the recipe says.

    Args:
        audio_labels: (B, C) float in [0, 1], the labels to use for audio.
        visual_labels: (B, C) float in [0, 1], likewise for the visual modality.
        original_labels: (B, C) float in [0, 1], the labels before any removal.
        recipe: names the smoothing and the video target.

    Returns:
        Targets of shape (B, C).
    """
    if recipe.video_target == "union":
        video = torch.maximum(audio_labels, visual_labels)
    else:
        video = audio_labels if recipe.video_target == "audio" else original_labels
    return Targets(
        video=video,
        audio=_smooth_kept(audio_labels, original_labels, recipe.audio_confidence),
        visual=_smooth_kept(visual_labels, original_labels, recipe.visual_confidence),
    )


def _smooth_kept(labels: Tensor, original: Tensor, confidence: float) -> Tensor:
    if confidence == 1.0:
        return labels
    removed = (original > 0) & (labels == 0)
    return smooth_labels(labels, confidence).masked_fill(removed, 0.0)


def label_targets(
    train: SplitTensors, audio_labels: Labels, visual_labels: Labels, recipe: Recipe
) -> Targets:
    """Return the targets (N, C) of all training videos, whose weak labels are the original ones.

    Raises:
        ValueError: labels of another shape or outside [0, 1].
    """
    return training_targets(
        checked_labels("audio_labels", audio_labels, train),
        checked_labels("visual_labels", visual_labels, train),
        train.labels,
        recipe,
    )


def checked_labels(name: str, labels: Labels, train: SplitTensors) -> Tensor:
    """Return labels as float32 on the training videos' device.

    Args:
        name: what a message calls them.
        labels: (N, C) bool or float.
        train: the N training videos.

    Raises:
        ValueError: labels of another shape or outside [0, 1].
    """
    if isinstance(labels, np.ndarray):
        labels = torch.from_numpy(np.array(labels))  # a copy: torch has no read-only tensors
    if labels.shape != train.labels.shape:
        raise ValueError(
            f"{name} must have shape {tuple(train.labels.shape)} (training videos, classes), "
            f"found {tuple(labels.shape)}"
        )
    labels = labels.to(device=train.labels.device, dtype=torch.float32)
    if not bool(((labels >= 0) & (labels <= 1)).all()):
        raise ValueError(f"{name} must lie between 0 and 1")
    return labels
