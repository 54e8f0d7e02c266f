"""CVCMS's objective: pooled cross-entropies, and contrast of audio with visual streams of all videos of a batch."""

import torch
from torch import Tensor

from rlld_gym.parsing.losses import Targets, pooled_loss, smooth_labels
from rlld_gym.parsing.networks import CVCMS, ParsingOutput, TaskNetwork
from rlld_gym.parsing.objectives.base import (
    Batch,
    Objective,
    StepContext,
    encoded,
    require_network,
)
from rlld_gym.parsing.randomness import own_generator
from rlld_gym.parsing.recipe import Recipe


class CVCMSObjective(Objective):
    """Lin et al., NeurIPS 2021: audio streams meet the visual streams of other videos.

    In the first epochs visual labels are smoothed and nothing is contrasted; after them neither is smoothed. Labels
    come from the recipe unsmoothed; what is above one half counts as present.

    Args:
        recipe: see the base class.
        first_epochs: with smoothing and without the cross-modal term.
        visual_confidence: of the smoothing in these epochs.
        cross_modal_weight: of the cross-modal term.
        temperature: of the cross-modal term.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        first_epochs: int = 2,
        visual_confidence: float = 0.9,
        cross_modal_weight: float = 0.85,
        temperature: float = 1.0,
    ) -> None:
        super().__init__(recipe)
        self.first_epochs = first_epochs
        self.visual_confidence = visual_confidence
        self.cross_modal_weight = cross_modal_weight
        self.temperature = temperature

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        cvcms = require_network(self, network, CVCMS)
        count = len(batch[0])
        contrasts = context.epoch > self.first_epochs and count > 1
        partners = draw_partners(count, batch[0].device) if contrasts else None
        sequences = encoded(cvcms, batch if partners is None else with_mixed(batch, partners), self.recipe)
        output = cvcms.head(*(sequence[:count] for sequence in sequences))
        loss = self.pooled(output, targets, context.epoch)
        if partners is None:
            return loss
        present = torch.stack((targets.audio, targets.visual)) > 0.5
        audio_labels = torch.cat((present[0], present[0]))
        visual_labels = torch.cat((present[1], present[1][partners]))
        audio, visual = cvcms.summaries(sequences, audio_labels, visual_labels)
        similarity = audio @ visual.mT / self.temperature
        return loss + self.cross_modal_weight * cross_modal_loss(similarity, audio_labels, visual_labels)

    def pooled(self, output: ParsingOutput, targets: Targets, epoch: int) -> Tensor:
        """Return the cross-entropies of the pooled probabilities, with the smoothing of an epoch (from 1)."""
        confidence = self.visual_confidence if epoch <= self.first_epochs else 1.0
        smoothed = targets._replace(visual=smooth_labels(targets.visual, confidence))
        return pooled_loss(output, smoothed, self.recipe.loss_weights, self.recipe.clamp)


def draw_partners(count: int, device: torch.device) -> Tensor:
    """Return for each of ``count`` > 1 videos another one, uniformly, (B,) int64."""
    own = torch.arange(count, device=device)
    return (own + torch.randint(1, count, (count,), generator=own_generator(device), device=device)) % count


def with_mixed(batch: Batch, partners: Tensor) -> Batch:
    """Return a batch followed by as many videos with its audio and the partners' visual features."""
    audio, visual_2d, visual_3d = batch
    return (
        torch.cat((audio, audio)),
        torch.cat((visual_2d, visual_2d[partners])),
        torch.cat((visual_3d, visual_3d[partners])),
    )


def cross_modal_loss(similarity: Tensor, audio_labels: Tensor, visual_labels: Tensor) -> Tensor:
    """Return the mean over rows of -sum_j T_ij log softmax(similarity)_ij, scalar.

    T_ij is 1 where audio stream i and visual stream j share a label, divided by the row's sum; a row without such a
    pair counts 0.

    Args:
        similarity: (N, N), row audio, column visual.
        audio_labels: (N, C), above 0 is present.
        visual_labels: (N, C), likewise.
    """
    shared = (audio_labels > 0).to(similarity) @ (visual_labels > 0).to(similarity).mT > 0
    target = shared.to(similarity)
    target = target / (target.sum(-1, keepdim=True) + 1e-10)
    return -(target * similarity.log_softmax(-1)).sum(-1).mean()
