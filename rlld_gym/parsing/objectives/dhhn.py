"""DHHN's objective: a main network and two guides of one modality each, trained together (Jiang et al., 2022)."""

from typing import Literal, NamedTuple

from torch import Tensor
from torch.nn import functional

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import LossWeights, Targets, pooled_loss
from rlld_gym.parsing.networks import DHHN, ParsingOutput, TaskNetwork
from rlld_gym.parsing.objectives.base import (
    Batch,
    Objective,
    StepContext,
    encoded,
    require_network,
)
from rlld_gym.parsing.recipe import Recipe

GuideTargets = Literal["video", "modality"]


class DHHNTerms(NamedTuple):
    """The four terms, scalars: losses of the main network and the guides, and what drives the guides apart."""

    main: Tensor
    audio_guide: Tensor
    visual_guide: Tensor
    apart: Tensor


class DHHNObjective(Objective):
    """Cross-entropies of all three networks, the main one drawn to the guides, and both pairs driven apart.

    Args:
        recipe: see the base class.
        guide_targets: what the guides are trained towards: the "video" target, or that of their "modality", as
            where the published system retrains on denoised labels.

    Raises:
        InputError: for other guide targets.
    """

    def __init__(self, recipe: Recipe, *, guide_targets: GuideTargets = "video") -> None:
        super().__init__(recipe)
        if guide_targets not in ("video", "modality"):
            raise InputError(
                f"recipe {recipe.name!r}: guide_targets is {guide_targets!r}, expected video or modality"
            )
        self.guide_targets = guide_targets

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        dhhn = require_network(self, network, DHHN)
        output = dhhn.head(*encoded(dhhn, batch, self.recipe))
        audio_guide, visual_guide = dhhn.guide_outputs(*batch)
        terms = dhhn_terms(
            output,
            (audio_guide.pooled, visual_guide.pooled),
            targets,
            self.recipe.loss_weights,
            guide_targets=self.guide_targets,
            clamp=self.recipe.clamp,
        )
        return terms.main + terms.audio_guide + terms.visual_guide + terms.apart


def dhhn_terms(
    output: ParsingOutput,
    guides: tuple[Tensor, Tensor],
    targets: Targets,
    weights: LossWeights,
    *,
    guide_targets: GuideTargets,
    clamp: float = 1e-7,
) -> DHHNTerms:
    """Return the terms of the loss; their sum trains all three networks, as gradients stop where they have to.

    Args:
        output: of the main network.
        guides: pooled probabilities of the audio and the visual guide, (B, C) each.
        targets: (B, C) each.
        weights: of the main network's cross-entropies.
        guide_targets: see `DHHNObjective`.
        clamp: all probabilities are clamped to [clamp, 1 - clamp] first.
    """
    audio, visual, audio_guide, visual_guide = (
        part.clamp(clamp, 1 - clamp) for part in (output.audio, output.visual, *guides)
    )
    # The guides teach the main network, not conversely; the two outputs, and the two guides, are to differ.
    main = (
        pooled_loss(output, targets, weights, clamp)
        + functional.mse_loss(audio, audio_guide.detach())
        + functional.mse_loss(visual, visual_guide.detach())
        - functional.mse_loss(audio, visual)
    )
    by_video = guide_targets == "video"
    return DHHNTerms(
        main,
        functional.binary_cross_entropy(audio_guide, targets.video if by_video else targets.audio),
        functional.binary_cross_entropy(visual_guide, targets.video if by_video else targets.visual),
        -functional.mse_loss(audio_guide, visual_guide),
    )
