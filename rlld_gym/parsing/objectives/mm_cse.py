"""MM-CSE's loss: VALOR's terms and what keeps class features apart, complete and in company (AAAI 2025)."""

from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.networks.mm_cse import MMCSE, SemanticOutput
from rlld_gym.parsing.networks.parts.class_enhancement import ClassMaps
from rlld_gym.parsing.objectives.base import (
    Batch,
    StepContext,
    require_network,
)
from rlld_gym.parsing.objectives.teachers import TeacherObjective, found_targets
from rlld_gym.parsing.objectives.valor import segment_label_loss
from rlld_gym.parsing.recipes import Recipe


class MMCSEObjective(TeacherObjective):
    """VALOR's terms, targets of segments included, and three terms about class features.

    Args:
        recipe: see the base class; its weights are those of the video, audio and visual terms.
        teachers: see `TeacherObjective`.
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
        *,
        teachers: bool = True,
    ) -> None:
        super().__init__(recipe, teachers=teachers)
        self.reconstruction_weight = reconstruction_weight
        self.orthogonality_weight = orthogonality_weight
        self.co_occurrence_weight = co_occurrence_weight

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class. Raises InputError for another network than MM-CSE."""
        output = require_network(self, network, MMCSE).analyse(*batch)
        labels = found_targets(targets, context, output.segment_logits.shape[1])
        weights, clamp = self.recipe.loss_weights, self.recipe.clamp
        loss = segment_label_loss(
            output.parsing.video, output.segment_logits, targets.video, labels, weights, clamp=clamp
        )
        return loss + self.class_terms(output, labels)

    def class_terms(self, output: SemanticOutput, labels: Tensor) -> Tensor:
        """Return the weighted terms about class features, scalar; ``labels`` are (B, T, 2, C) in [0, 1]."""
        return (
            self.reconstruction_weight * sum(output.reconstruction)
            + self.orthogonality_weight * sum(output.orthogonality)
            + self.co_occurrence_weight * co_occurrence_loss(output.maps, labels)
        )


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
