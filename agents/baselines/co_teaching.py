"""Co-teaching+ (Yu et al., "How does Disagreement Help Generalization against Label Corruption?", ICML 2019).

Two parsers look at the same batch; where they disagree, each learns from the labels that the other one finds easy.
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
from rlld_agents.baselines.parts.small_loss import SmallLoss, epochs_of, large_loss_share
from rlld_gym.errors import InputError
from rlld_gym.parsing.prediction import THRESHOLD
from rlld_gym.parsing.recipes import Recipe


@dataclass(frozen=True)
class CoTeachingPlus(SmallLoss):
    """Co-teaching+ (Yu et al., ICML 2019), ported to several labels a video and two modalities.

    From the paper: two networks; each ranks the batch by its own loss, and the other one learns from what is left
    when the largest losses are forgotten; rates that rise over ten epochs; after the first epochs only what the
    networks predict differently is learned from, or everything where they agree on everything.

    Ours, as the paper knows one label a picture only: what a network predicts of a modality of a video is the
    set of classes whose pooled probability reaches one half, and the networks disagree where these sets differ.
    (To learn from the single classes in dispute only, our first attempt, ruins both parsers: a label that neither
    one finds is never learned again.) Labels that are present are ranked and forgotten one by one, by their binary
    cross-entropy, per modality and class; classes that a video does not have are never forgotten, for they are
    right. Labels are ranked among all of the batch, not only those in dispute, of which there are too few in most
    classes to take a share of. The video's own loss always counts. A forgotten label is left out of the loss, not
    made a zero. Schedule, rate and smoothing are the recipe's, without its contrastive loss; the released code's
    second division by the number of selected pictures is left out.

    Removed are the labels that more than half of the last epochs' rankings, of both networks, forget at the full
    rates. The product is the first network, at its best epoch on validation.
    """

    plain: float = 0.1
    """Share of the epochs, the first ones, in which disagreement does not matter (plain Co-teaching): 20 of
    the 200 of the paper's CIFAR-10 runs."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        super().__post_init__()
        if not 0 <= self.plain <= 1:
            raise InputError(f"plain is {self.plain}, expected a share from 0 to 1")

    @property
    def name(self) -> str:
        """What tables call it."""
        return "co_teaching"

    def denoise(self, context: Context) -> Denoised:
        """Train both networks; remove what they forget in the last epochs."""
        recipe = context.recipe.replace(contrastive_weight=0.0)
        return denoise_by_peers(context, self, recipe, self._select(recipe))

    def _select(self, recipe: Recipe) -> Select:
        plain_epochs = epochs_of(self.plain, recipe.epochs) if self.plain else 0

        def select(first: Entries, second: Entries, labels: Tensor, rates: Tensor, epoch: int) -> Selection:
            shares = torch.stack(
                [large_loss_share(peer.loss.detach(), labels, self.group) for peer in (first, second)]
            )
            disputed = in_dispute(first.probability, second.probability)
            if epoch <= plain_epochs:
                disputed = torch.ones_like(disputed)
            # Each learns from what the other one does not forget.
            terms = masked_mean(first.loss, disputed & (shares[1] > rates))
            terms = terms + masked_mean(second.loss, disputed & (shares[0] > rates))
            return Selection(weighted_loss(first.video_loss + second.video_loss, terms, recipe), shares)

        return select


def in_dispute(first: Tensor, second: Tensor) -> Tensor:
    """Return of which videos two networks predict different sets of classes; all where they agree on every video.

    Args:
        first: (B, 2, C) float in [0, 1], audio then visual.
        second: likewise.

    Returns:
        (B, 2, 1) bool; the modalities are judged apart.
    """
    different = ((first >= THRESHOLD) != (second >= THRESHOLD)).any(dim=2, keepdim=True)
    return different | ~different.any(dim=0, keepdim=True)
