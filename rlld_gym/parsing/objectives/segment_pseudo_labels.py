"""Segment-wise pseudo labels as a plug-in: the pooled loss and the richness of segments and classes.

After Zhou et al. (arXiv 2303.02344 and 2406.00919); see ``rlld_gym.parsing.objectives.richness``, also for labels
that are turned over before another training.
"""

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives.base import Batch, StepContext, encoded
from rlld_gym.parsing.objectives.pooled import pooled_terms
from rlld_gym.parsing.objectives.richness import richness_loss
from rlld_gym.parsing.objectives.teachers import TeacherObjective, found_targets
from rlld_gym.parsing.recipes import Recipe


class SegmentPseudoLabelObjective(TeacherObjective):
    """The pooled objective plus the loss of both modalities' richness, towards the teachers'; any network.

    Args:
        recipe: see the base class.
        richness_weight: of the cross-entropies of the shares.
        segment_weight: of a cross-entropy of every segment towards its pseudo label (ours; 0 leaves it out).
    """

    def __init__(self, recipe: Recipe, richness_weight: float = 0.5, segment_weight: float = 0.0) -> None:
        super().__init__(recipe)
        self.richness_weight = richness_weight
        self.segment_weight = segment_weight

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class. Raises InputError without teachers."""
        if context.teachers is None:
            raise InputError(
                f"recipe {self.recipe.name!r}: objective 'segment_pseudo_labels' needs segment-level teachers "
                "of the training videos: import them with the store, or choose another objective"
            )
        sequences = encoded(network, batch, self.recipe)
        output = network.head(*sequences)
        loss = pooled_terms(network, batch, output, sequences, targets=targets, recipe=self.recipe)
        pseudo_labels = found_targets(targets, context, output.segment.shape[1])
        positive = (torch.stack((targets.audio, targets.visual), 1) > 0.5).float()
        predicted, wanted = output.segment.transpose(1, 2), pseudo_labels.transpose(1, 2)
        rich = richness_loss(predicted, wanted, positive)
        loss = loss + self.richness_weight * rich
        if self.segment_weight:
            clamp = self.recipe.clamp
            probabilities = output.segment.clamp(clamp, 1 - clamp)
            loss = loss + self.segment_weight * functional.binary_cross_entropy(probabilities, pseudo_labels)
        return loss
