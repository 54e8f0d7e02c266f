"""Labels as the agent sees and changes them: revision, the empty rule, masks and soft labels."""

from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor

EmptyRule = Literal["video", "modality"]
EMPTY_RULES: Final[tuple[EmptyRule, ...]] = ("video", "modality")

FREE: Final = 2
"""Mask value of an action bit that the agent may choose, as in MultiBinary (0 and 1 fix the bit)."""


class Revision(NamedTuple):
    """Labels of a batch after an action.

    Attributes:
        audio: (B, C) revised audio labels, in the dtype of the labels that were given.
        visual: (B, C) revised visual labels, same dtype.
        reverted: (B, 2) bool, audio and visual: the action was undone because it removed too much.
    """

    audio: Tensor
    visual: Tensor
    reverted: Tensor


def revise_labels(
    audio_labels: Tensor, visual_labels: Tensor, actions: Tensor, empty_rule: EmptyRule = "video"
) -> Revision:
    """Remove the labels whose action bit is 1; undo the removal where nothing would be left.

    Eq. 5 of RLLD (arXiv 2412.19563), with a bit of 1 read as "remove": revised = (1 - action) * label. Where
    "the sampled action removes all labels, we maintain the labels unchanged" (the reward of -1 for it is in
    `rlld_gym.denoising.rewards.branch_rewards`).

    Args:
        audio_labels: (B, C) labels of the audio branch, 0 or 1 in any dtype.
        visual_labels: (B, C) labels of the visual branch, same dtype.
        actions: (B, 2, C), bool or 0/1; [:, 0] audio, [:, 1] visual. Bits on absent labels change nothing.
        empty_rule: "video": a video whose two label sets would both become empty gets both back.
            "modality": each branch that would become empty gets its labels back on its own.

    Returns:
        The revised labels. A branch that had no label to begin with is never called reverted by "modality",
        nor is a video without any label by "video".

    Raises:
        ValueError: unknown empty rule.
    """
    if empty_rule not in EMPTY_RULES:
        raise ValueError(f"empty_rule is {empty_rule!r}; expected one of {', '.join(EMPTY_RULES)}")
    shown = torch.stack((audio_labels, visual_labels), dim=1)
    present = shown.bool()
    kept = present & ~actions.bool()
    had_labels, has_labels = present.any(dim=2), kept.any(dim=2)
    if empty_rule == "video":
        had_labels = had_labels.any(dim=1, keepdim=True).expand(-1, 2)
        has_labels = has_labels.any(dim=1, keepdim=True).expand(-1, 2)
    reverted = had_labels & ~has_labels
    kept = torch.where(reverted.unsqueeze(2), present, kept)
    revised = torch.where(kept, shown, torch.zeros_like(shown))
    return Revision(revised[:, 0], revised[:, 1], reverted)


def action_mask(audio_labels: Tensor, visual_labels: Tensor) -> Tensor:
    """Return the mask that ``MultiBinary.sample(mask=...)`` takes.

    Args:
        audio_labels: (B, C) labels shown in the audio branch.
        visual_labels: (B, C) labels shown in the visual branch.

    Returns:
        (B, 2, C) int8: 2 (free) where a label is present, 0 (do not remove) where it is absent.
    """
    return torch.stack((audio_labels, visual_labels), dim=1).bool().to(torch.int8) * FREE


def soft_labels(labels: Tensor, epsilon: float = 0.1) -> Tensor:
    """Smooth labels and normalise them to a distribution over classes.

    The labels of Eq. 9 of RLLD (arXiv 2412.19563): ((1 - epsilon) y + epsilon / 2) / sum, so that logarithms
    are finite.

    Args:
        labels: (..., C), 0 or 1 in any dtype.
        epsilon: strength of the smoothing, above 0 and at most 1.

    Returns:
        (..., C) floating point (the labels' dtype if that is one, else float32), positive, sums to 1.

    Raises:
        ValueError: epsilon outside (0, 1].
    """
    if not 0 < epsilon <= 1:
        raise ValueError(f"epsilon is {epsilon}; expected a number above 0 and at most 1")
    numbers = labels if labels.is_floating_point() else labels.float()
    smoothed = (1 - epsilon) * numbers + epsilon / 2
    return smoothed / smoothed.sum(dim=-1, keepdim=True)
