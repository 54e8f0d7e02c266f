"""The objective of HAN and its relatives: cross-entropies of the pooled probabilities and a contrastive term."""

from typing import ClassVar

from torch import Tensor, nn

from rlld_gym.parsing.losses import (
    Targets,
    contrastive_loss_jomold,
    contrastive_loss_ma,
    contrastive_similarity,
    pooled_loss,
)
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.objectives.base import (
    Batch,
    Objective,
    StepContext,
    encoded,
)
from rlld_gym.parsing.recipe import Recipe


class PooledObjective(Objective):
    """Weighted cross-entropies of video, audio and visual probabilities, and the recipe's contrastive loss."""

    stackable: ClassVar[bool] = True

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        sequences = encoded(network, batch, self.recipe)
        return pooled_terms(
            network, batch, network.head(*sequences), sequences, targets=targets, recipe=self.recipe
        )


def pooled_terms(
    network: TaskNetwork,
    batch: Batch,
    output: ParsingOutput,
    sequences: tuple[Tensor, Tensor],
    *,
    targets: Targets,
    recipe: Recipe,
) -> Tensor:
    """Return the cross-entropies of pooled probabilities plus the recipe's contrastive loss, scalar.

    Args:
        network: whose ``stem`` gives the visual sequence that the contrastive loss "ma" compares with.
        batch: features of B videos.
        output: probabilities of the batch.
        sequences: what the probabilities were pooled from, (B, T, D) each.
        targets: (B, C) each.
        recipe: loss weights, clamp and contrastive loss.
    """
    loss = pooled_loss(output, targets, recipe.loss_weights, recipe.clamp)
    if recipe.contrastive_weight == 0.0:
        return loss
    audio_sequence, visual_sequence = sequences
    if recipe.contrastive == "ma":
        _, visual_sequence = _stem_of(network)(*batch)
    similarity = contrastive_similarity(audio_sequence, visual_sequence, recipe.temperature)
    contrastive = contrastive_loss_ma if recipe.contrastive == "ma" else contrastive_loss_jomold
    return loss + recipe.contrastive_weight * contrastive(similarity, recipe.contrastive_smoothing)


def _stem_of(network: TaskNetwork) -> nn.Module:
    """Return what computes a network's sequences before attention."""
    stem = getattr(network, "stem", None)
    if not isinstance(stem, nn.Module):
        raise ValueError(
            f'{type(network).__name__} has no stem: the contrastive loss "ma" needs HAN or another network with one'
        )
    return stem
