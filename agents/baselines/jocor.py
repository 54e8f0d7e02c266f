"""JoCoR: joint training with co-regularisation (Wei et al., "Combating Noisy Labels by Agreement", CVPR 2020).

Two parsers learn together to be right and to agree; the labels on which the two do that worst are forgotten.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rlld_agents.baselines.base import Context, Denoised
from rlld_agents.baselines.parts.peers import (
    Entries,
    Select,
    Selection,
    denoise_by_peers,
    masked_mean,
    weighted_loss,
)
from rlld_agents.baselines.parts.small_loss import SmallLoss, large_loss_share
from rlld_gym.errors import InputError
from rlld_gym.parsing.recipes import Recipe


@dataclass(frozen=True)
class JoCoR(SmallLoss):
    """JoCoR (Wei et al., CVPR 2020), ported to several labels a video and two modalities.

    From the paper: two networks, one loss (1 - w) (CE_1 + CE_2) + w (KL(p_1 | p_2) + KL(p_2 | p_1)), small-loss
    selection by that very loss, rates that rise over ten epochs, both networks updated by what was selected.

    Ours, as the paper knows one label a picture only: the loss is that of a modality's single class, with binary
    cross-entropy and the divergence of two Bernoulli distributions; labels that are present are ranked and
    forgotten one by one, per modality and class; classes that a video does not have always count, as does the
    video's own loss, for those labels are right. A forgotten label is left out of the loss, not made a zero.
    Schedule, rate and smoothing are the recipe's, without its contrastive loss.

    Removed are the labels that more than half of the last epochs' selections forget at the full rates. The
    product is the first network, at its best epoch on validation.
    """

    agreement_weight: float = 0.1
    """w: weight of agreement against being right, in [0, 1]; 0.1 is the released code's default."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        super().__post_init__()
        if not 0 <= self.agreement_weight <= 1:
            raise InputError(f"agreement_weight is {self.agreement_weight}, expected a share from 0 to 1")

    @property
    def name(self) -> str:
        """What tables call it."""
        return "jocor"

    def denoise(self, context: Context) -> Denoised:
        """Train both networks; remove what they forget in the last epochs."""
        recipe = context.recipe.replace(contrastive_weight=0.0)
        return denoise_by_peers(context, self, recipe, self._select(recipe))

    def _select(self, recipe: Recipe) -> Select:
        def select(first: Entries, second: Entries, labels: Tensor, rates: Tensor, epoch: int) -> Selection:
            losses = joint_losses(first, second, self.agreement_weight)
            shares = large_loss_share(losses.detach(), labels, self.group)
            terms = masked_mean(losses, shares > rates)
            video = (1.0 - self.agreement_weight) * (first.video_loss + second.video_loss)
            return Selection(weighted_loss(video, terms, recipe), shares.unsqueeze(0))

        return select


def joint_losses(first: Entries, second: Entries, agreement_weight: float) -> Tensor:
    """Return (B, 2, C): what both networks lose by being wrong and by disagreeing.

    The two divergences between Bernoulli distributions p and q sum up to (p - q) (logit p - logit q).
    """
    disagreement = (first.probability - second.probability) * (
        torch.logit(first.probability) - torch.logit(second.probability)
    )
    return (1.0 - agreement_weight) * (first.loss + second.loss) + agreement_weight * disagreement
