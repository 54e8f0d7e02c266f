"""CPSP's objective: pooled cross-entropies, contrast within videos and between them (Zhou et al., TPAMI 2022)."""

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives.base import Batch, Objective, StepContext, encoded
from rlld_gym.parsing.objectives.pooled import pooled_terms
from rlld_gym.parsing.recipe import Recipe


class CPSPObjective(Objective):
    """The terms of "pooled", and the contrast of whole videos, PSA_v.

    The defaults are those of the authors' launch script; as released that script runs without this term.

    Args:
        recipe: see the base class; its contrastive loss is to be "ma".
        video_contrast_weight: of the contrast of videos; 0 leaves it out.
        least_overlap: share of a video's labels that a positive has at least.
        temperature: of the contrast of videos.
    """

    stackable = True

    def __init__(
        self,
        recipe: Recipe,
        *,
        video_contrast_weight: float = 1.0,
        least_overlap: float = 0.9,
        temperature: float = 0.2,
    ) -> None:
        super().__init__(recipe)
        self.video_contrast_weight = video_contrast_weight
        self.least_overlap = least_overlap
        self.temperature = temperature

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        sequences = encoded(network, batch, self.recipe)
        output = network.head(*sequences)
        loss = pooled_terms(network, batch, output, sequences, targets=targets, recipe=self.recipe)
        if self.video_contrast_weight == 0.0:
            return loss
        contrast = video_contrast(
            video_features(*sequences), targets.video, self.least_overlap, self.temperature
        )
        return loss + self.video_contrast_weight * contrast


def video_features(audio_sequence: Tensor, visual_sequence: Tensor) -> Tensor:
    """Return a unit vector for each video, (B, D): the mean over both sequences, (B, T, D) each, normalised."""
    return functional.normalize(torch.stack((audio_sequence, visual_sequence), 2).mean((1, 2)), dim=-1)


def video_contrast(features: Tensor, labels: Tensor, least_overlap: float, temperature: float) -> Tensor:
    """Return the mean over videos of -log(positive / (positive + negative)), scalar.

    With K = exp(f_i . f_j / temperature), positive is the mean of K over the videos that have at least a share
    ``least_overlap`` of video i's own labels, itself included, and negative the mean over those that have none.

    Args:
        features: (B, D) unit vectors.
        labels: (B, C); above 0 is present.
        least_overlap: see above.
        temperature: see above.

    Returns:
        0, without any gradient, where some video of the batch has no positive or no negative: the published code
        then skips the term.
    """
    present = (labels > 0).to(features.dtype)
    shared = present @ present.mT
    positive = shared >= least_overlap * present.sum(-1, keepdim=True)
    negative = shared == 0
    positive = positive & ~negative  # a video without labels has no positives
    similarity = (features @ features.mT / temperature).exp()
    defined = positive.any(-1).all() & negative.any(-1).all()

    def mean_over(chosen: Tensor) -> Tensor:
        return (similarity * chosen).sum(-1) / chosen.sum(-1).clamp(min=1)

    likely, unlikely = mean_over(positive), mean_over(negative)
    # Without positives there is no logarithm; what would be undefined is replaced before, so that gradients stay 0.
    share = torch.where(defined, likely / (likely + unlikely).clamp(min=1e-30), torch.ones_like(likely))
    return -share.log().mean()
