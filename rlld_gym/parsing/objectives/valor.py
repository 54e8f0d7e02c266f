"""VALOR's objective: segment-level pseudo labels of teachers (Lai et al., NeurIPS 2023)."""

from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.losses import LossWeights, Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives.base import Batch, StepContext, encoded
from rlld_gym.parsing.objectives.teachers import TeacherObjective, found_targets
from rlld_gym.parsing.recipe import Recipe


class VALORObjective(TeacherObjective):
    """Cross-entropies of the video probabilities and of every segment.

    A segment's target is the label of its video and modality where the teacher finds the event in the segment, else
    0.

    Args:
        recipe: see the base class.
        teachers: see `TeacherObjective`.
        share: of the labels that the teacher finds in a segment, take the most probable ones that sum to at most
            this, see `largest`; None: take all.
    """

    def __init__(self, recipe: Recipe, *, teachers: bool = True, share: float | None = None) -> None:
        super().__init__(recipe, teachers=teachers)
        self.share = share

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        sequences = encoded(network, batch, self.recipe)
        logits = network.segment_logits(*sequences)
        return segment_label_loss(
            network.head(*sequences).video,
            logits,
            targets.video,
            found_targets(targets, context, logits.shape[1], self.share),
            self.recipe.loss_weights,
            clamp=self.recipe.clamp,
        )


def segment_label_loss(
    video: Tensor,
    segment_logits: Tensor,
    video_target: Tensor,
    segment_target: Tensor,
    weights: LossWeights,
    *,
    clamp: float = 1e-7,
) -> Tensor:
    """Return the weighted sum of the cross-entropies of videos, audio segments and visual segments.

    Args:
        video: (B, C) probabilities, clamped to [clamp, 1 - clamp].
        segment_logits: (B, T, 2, C).
        video_target: (B, C) in [0, 1].
        segment_target: (B, T, 2, C) in [0, 1].
        weights: one weight a term; each term is the mean over its entries.
        clamp: see ``video``.

    Returns:
        Scalar.
    """
    pooled = functional.binary_cross_entropy(video.clamp(clamp, 1 - clamp), video_target)
    segments = functional.binary_cross_entropy_with_logits(segment_logits, segment_target, reduction="none")
    audio, visual = segments.mean(dim=(0, 1, 3)).unbind()
    return weights.video * pooled + weights.audio * audio + weights.visual * visual
