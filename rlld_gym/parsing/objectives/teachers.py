"""What segment-level teachers add to labels of videos: targets of segments, and objectives that need them."""

from typing import ClassVar

import torch
from torch import Tensor

from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.objectives.base import Objective, StepContext
from rlld_gym.parsing.recipe import Recipe


class TeacherObjective(Objective):
    """An objective whose published system has segment-level teachers.

    Args:
        recipe: see the base class.
        teachers: False lets it train without any: a label then counts for every segment (ours).
    """

    reads_teachers: ClassVar[bool] = True

    def __init__(self, recipe: Recipe, *, teachers: bool = True) -> None:
        super().__init__(recipe)
        self.needs_teachers = teachers


def found(teachers: Tensor) -> Tensor:
    """Return the labels that teachers find, 0 or 1: answers above one half."""
    return (teachers > 0.5).to(teachers.dtype)


def largest(teachers: Tensor, share: float) -> Tensor:
    """Return the top-k labels of each segment whose probabilities sum to at most ``share`` (RLLD, section 4.3).

    Open in the publication, and decided here: the probabilities of a segment are the answers of what is found
    there, divided by their sum; one label is always taken, and with it all that are as probable as the last one.

    Args:
        teachers: (..., C) in [0, 1].
        share: above 0.

    Returns:
        (..., C) float, 0 or 1.
    """
    answers = teachers * found(teachers)
    ordered = answers.sort(-1, descending=True).values
    sums = (ordered / ordered.sum(-1, keepdim=True).clamp(min=1e-6)).cumsum(-1)
    taken = (sums <= share).sum(-1, keepdim=True).clamp(min=1)
    last = ordered.gather(-1, taken - 1)
    return ((answers >= last) & (answers > 0)).to(teachers.dtype)


def segment_targets(targets: Targets, teachers: tuple[Tensor, Tensor] | None, segments: int) -> Tensor:
    """Return the targets of segments, (B, T, 2, C): labels times what teachers say, labels alone without teachers.

    Args:
        targets: (B, C) each.
        teachers: audio and visual, (B, T, C) each.
        segments: T.
    """
    labels = torch.stack((targets.audio, targets.visual), 1).unsqueeze(1)
    if teachers is None:
        return labels.expand(-1, segments, -1, -1)
    return labels * torch.stack(teachers, 2)


def found_targets(
    targets: Targets, context: StepContext, segments: int, share: float | None = None
) -> Tensor:
    """Return `segment_targets` of the labels that the teachers find, of the largest of them for a ``share``."""
    if context.teachers is None:
        return segment_targets(targets, None, segments)
    heard, seen = (found(said) if share is None else largest(said, share) for said in context.teachers)
    return segment_targets(targets, (heard, seen), segments)
