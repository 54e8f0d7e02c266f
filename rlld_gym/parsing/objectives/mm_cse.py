"""MM-CSE's loss: VALOR's terms and what keeps class features apart, complete and in company (AAAI 2025)."""

from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.losses import LossWeights, Targets, pooled_loss
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.networks.class_enhancement import ClassMaps
from rlld_gym.parsing.networks.mm_cse import MMCSE, SemanticOutput
from rlld_gym.parsing.objectives.base import (
    Batch,
    Objective,
    StepContext,
    register_objective,
    require_network,
)
from rlld_gym.parsing.objectives.segment_labels import positive_labels, segment_labels
from rlld_gym.parsing.recipes import Recipe


@register_objective("mm_cse", networks=("mm_cse",))
class MMCSEObjective(Objective):
    """Segments towards the teachers' labels, videos towards theirs, and three terms about class features.

    Teachers' labels count for the classes that a modality is labelled with, as in VALOR. Without teachers the
    pooled probabilities take the segments' places, and labels of segments are the video's (ours).

    Args:
        recipe: see the base class; its weights are those of the video, audio and visual terms.
        reconstruction_weight: of the mean squared errors of both modalities' reconstructions.
        orthogonality_weight: of the cosines between class and background features.
        co_occurrence_weight: of the distance between attention among classes and labels that occur together.
    """

    def __init__(
        self,
        recipe: Recipe,
        reconstruction_weight: float = 0.5,
        orthogonality_weight: float = 0.1,
        co_occurrence_weight: float = 0.1,
    ) -> None:
        super().__init__(recipe)
        self.reconstruction_weight = reconstruction_weight
        self.orthogonality_weight = orthogonality_weight
        self.co_occurrence_weight = co_occurrence_weight

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class. Raises InputError for another network than MM-CSE."""
        output = require_network(self, network, MMCSE).analyse(*batch)
        weights, clamp = self.recipe.loss_weights, self.recipe.clamp
        if context.teachers is None:
            loss = pooled_loss(output.parsing, targets, weights, clamp)
            segments = output.parsing.segment.shape[1]
            labels = positive_labels(targets).unsqueeze(1).expand(-1, segments, -1, -1)
        else:
            labels = segment_labels(context.teachers, targets)
            video = output.parsing.video.clamp(clamp, 1 - clamp)
            loss = segment_logit_loss(output.segment_logits, labels, video, targets.video, weights)
        return loss + self.class_terms(output, labels)

    def class_terms(self, output: SemanticOutput, labels: Tensor) -> Tensor:
        """Return the weighted terms about class features, scalar; ``labels`` are (B, T, 2, C) in [0, 1]."""
        return (
            self.reconstruction_weight * sum(output.reconstruction)
            + self.orthogonality_weight * sum(output.orthogonality)
            + self.co_occurrence_weight * co_occurrence_loss(output.maps, labels)
        )


def segment_logit_loss(
    segment_logits: Tensor, labels: Tensor, video: Tensor, video_labels: Tensor, weights: LossWeights
) -> Tensor:
    """Return the weighted sum of the cross-entropies of audio segments, visual segments and videos.

    Args:
        segment_logits: (B, T, 2, C).
        labels: (B, T, 2, C) float in [0, 1].
        video: (B, C) probabilities, clamped.
        video_labels: (B, C) float in [0, 1].
        weights: one weight a term; each term is a mean over its entries.

    Returns:
        Scalar.
    """
    per_entry = functional.binary_cross_entropy_with_logits(segment_logits, labels, reduction="none")
    audio, visual = per_entry.mean(dim=(0, 1, 3)).unbind()
    whole = functional.binary_cross_entropy(video, video_labels)
    return weights.video * whole + weights.audio * audio + weights.visual * visual


def co_occurrence_loss(maps: ClassMaps, labels: Tensor) -> Tensor:
    """Return the sum of four mean squared errors: attention among classes against products of their labels.

    Args:
        maps: (B, T, C, C) each; rows are queries.
        labels: (B, T, 2, C) float in [0, 1]; modality 0 is audio, 1 is visual.

    Returns:
        Scalar.
    """
    audio, visual = labels.unbind(2)
    pairs = ((audio, audio), (audio, visual), (visual, visual), (visual, audio))
    errors = [
        functional.mse_loss(attention, query.unsqueeze(-1) * key.unsqueeze(-2))
        for attention, (query, key) in zip(maps, pairs, strict=True)
    ]
    return sum(errors[1:], errors[0])
