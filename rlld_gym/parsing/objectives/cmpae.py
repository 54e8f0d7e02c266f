"""CMPAE's loss: cross-entropies, the contrastive term and agreement weighed by uncertainty (CVPR 2023)."""

from typing import Final

import torch
from torch import Tensor

from rlld_gym.parsing.losses import Targets, contrastive_loss_jomold, contrastive_similarity, pooled_loss
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.cmpae import CMPAE, Uncertainty
from rlld_gym.parsing.objectives.base import (
    Batch,
    Objective,
    StepContext,
    encoded,
    require_network,
)
from rlld_gym.parsing.recipes import Recipe

UNCERTAINTY_FLOOR: Final = 0.9
"""The video's uncertainty is clipped below at it; no gradient flows underneath."""


class CMPAEObjective(Objective):
    """Pooled cross-entropies, JoMoLD's contrastive loss and the mutual term, all three weighted.

    Args:
        recipe: see the base class; the publication's weights are those of the recipe "cmpae".
        mutual_weight: weight of the mutual term.
    """

    def __init__(self, recipe: Recipe, mutual_weight: float = 1.0) -> None:
        super().__init__(recipe)
        self.mutual_weight = mutual_weight

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class. Raises InputError for another network than CMPAE."""
        cmpae = require_network(self, network, CMPAE)
        recipe = self.recipe
        sequences = encoded(cmpae, batch, recipe)
        output, uncertainty = cmpae.weigh(*sequences)
        loss = pooled_loss(output, targets, recipe.loss_weights, recipe.clamp)
        loss = loss + self.mutual_weight * mutual_loss(
            output, uncertainty, targets.video, context.number, recipe.clamp
        )
        if recipe.contrastive_weight == 0.0:
            return loss
        similarity = contrastive_similarity(*cmpae.compared(*sequences), recipe.temperature)
        contrastive = contrastive_loss_jomold(similarity, recipe.contrastive_smoothing)
        return loss + recipe.contrastive_weight * contrastive


def mutual_loss(
    output: ParsingOutput, uncertainty: Uncertainty, labels: Tensor, number: int, clamp: float = 1e-7
) -> Tensor:
    """Squared distance between the video's and the modalities' probabilities, weighed by their certainty.

    In batches of odd number the video learns from the modalities, in even ones the modalities learn from the
    video. A positive class is represented by the modality that is surer of it, a negative one by the mean of both.
    The gradient of an uncertainty is not stopped.

    Args:
        output: probabilities of B videos.
        uncertainty: of the same videos.
        labels: (B, C) float in [0, 1], of the videos.
        number: of the batch in its epoch, from 0.
        clamp: probabilities are clamped to [clamp, 1 - clamp].

    Returns:
        Scalar.
    """
    video, audio, visual = (part.clamp(clamp, 1 - clamp) for part in output[:3])
    largest, winner = torch.stack((audio, visual)).max(0)
    doubts = torch.stack((uncertainty.audio, uncertainty.visual))
    winner_doubt = doubts.gather(0, winner.unsqueeze(0)).squeeze(0)
    mean, mean_doubt = (audio + visual) / 2, doubts.mean(0)
    video_doubt = uncertainty.video.clamp(min=UNCERTAINTY_FLOOR).unsqueeze(1)
    if number % 2:
        weight, largest, mean = video_doubt, largest.detach(), mean.detach()
    else:
        weight, video = 1 - video_doubt, video.detach()
    positive = labels * (1 - winner_doubt) * (video - largest).square()
    negative = (1 - labels) * (1 - mean_doubt) * (video - mean).square()
    return (weight * (positive + negative)).mean()
