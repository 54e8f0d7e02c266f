"""JoMoLD: joint-modal label denoising (Cheng et al., ECCV 2022).

A label whose loss is large in one modality and small in the other is noise in the first. A noise estimator without
cross-attention says how much of each class is noise; then a parser is trained whose targets lose, in every batch
anew, as many labels as that.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rlld_agents.baselines.base import Context, Denoised, to_numpy
from rlld_agents.baselines.parts.jomold_epoch import (
    denoise_epoch,
    estimate_noise_ratios,
    removals_in_stored_order,
)
from rlld_agents.baselines.parts.jomold_rule import (
    AUDIO_CONFIDENCE,
    VISUAL_CONFIDENCE,
    NoiseRatios,
    Removals,
    WarmUp,
    jomold_removals,
    noise_ratios,
    warm_up_factor,
)
from rlld_agents.baselines.parts.parser import parser_in
from rlld_agents.baselines.parts.unimodal import Unimodal, pooled_probabilities
from rlld_gym.errors import InputError
from rlld_gym.parsing.epochs import TrainedParser
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives import Batch
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import (
    TargetRevision,
    feature_sizes,
    make_task_network,
)

__all__ = ["JoMoLD", "denoise_epoch", "estimate_noise_ratios"]


@dataclass(frozen=True)
class JoMoLD:
    """JoMoLD (Cheng et al., ECCV 2022): its product is the parser that is trained while labels are removed.

    Both networks follow the context's recipe with the method's own losses: the recipe's visual smoothing, the
    original label as video target, weights 1, 1, 1 (estimator) and 2 audio, 1 visual, 1 video (parser). Both start
    from the weights that every parser with this seed starts from; each keeps the epoch that is best on validation.

    The method decides anew in every batch and leaves no labels behind. Those reported here are what the trained
    parser would remove: one pass without cross-attention or dropout, in stored order and batches of the recipe's
    size, at the full noise ratios.
    """

    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in both trainings; the method "+ CL" has 1."""
    audio_threshold: float = 0.6
    """Relative probability below which the estimator counts an audio label as noise."""
    visual_threshold: float = 1.8
    """Likewise, visual."""
    estimator_confidence: float | None = None
    """Visual targets of the noise estimator are pulled towards one half by 1 minus this, and so are those by which
    its probabilities are judged. None: the recipe's own, which is 1, no smoothing, in "rlld" and the compact
    ones; 0.9 is published, and was worse at widths 64 and 512 (docs/benchmark)."""
    parser_confidence: float | None = None
    """Likewise of the parser, and of the losses by which labels are removed."""
    warm_up_epochs: float = 0.9
    """Epochs at the beginning in which fewer labels are removed."""
    warm_up: WarmUp = "released"
    """"released": as the method's code does it, nothing is removed in the first epoch, then everything;
    "linear": the ramp that was meant."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if self.warm_up not in ("released", "linear"):
            raise InputError(f"warm_up is {self.warm_up!r}, expected 'released' or 'linear'")
        for option in ("audio_threshold", "visual_threshold"):
            if getattr(self, option) <= 0:
                raise InputError(f"{option} is {getattr(self, option)}, expected a positive number")
        for option in ("estimator_confidence", "parser_confidence"):
            confidence = getattr(self, option)
            if confidence is not None and not 0 < confidence <= 1:
                raise InputError(f"{option} is {confidence}, expected a number above 0, at most 1, or None")

    @property
    def name(self) -> str:
        """What tables call it."""
        published = (self.estimator_confidence, self.parser_confidence) == (
            VISUAL_CONFIDENCE,
            VISUAL_CONFIDENCE,
        )
        return "jomold" + "-as-published" * published + "+cl" * bool(self.contrastive_weight)

    def denoise(self, context: Context) -> Denoised:
        """Train the estimator, estimate the ratios, train the parser while removing, then remove once more."""
        train, recipe = context.data["train"], self.recipe_of_parser(context.recipe)
        estimator = self._train_estimator(context)
        size = recipe.batch_size
        ratios = noise_ratios(
            *pooled_probabilities(estimator.network, train, size),
            train.labels,
            batch_size=size,
            audio_threshold=self.audio_threshold,
            visual_threshold=self.visual_threshold,
            visual_confidence=self.recipe_of_estimator(context.recipe).visual_confidence,
        )
        trained = self._train_parser(context, recipe, ratios)
        audio, visual = pooled_probabilities(Unimodal(trained.network), train, size)
        removals = removals_in_stored_order(
            audio,
            visual,
            train.labels,
            ratios,
            batch_size=size,
            clamp=recipe.clamp,
            visual_confidence=recipe.visual_confidence,
        )
        kept = [~removed & (train.labels > 0) for removed in (removals.audio, removals.visual)]
        return Denoised(
            audio=to_numpy(kept[0]),
            visual=to_numpy(kept[1]),
            removal_score=to_numpy(_removal_score(removals, ratios)),
            network=trained.network,
            validation_labels="dense, to choose the epoch of the noise estimator and of the parser",
            details={
                "visual_confidence": {
                    "estimator": self.recipe_of_estimator(context.recipe).visual_confidence,
                    "parser": recipe.visual_confidence,
                },
                "noise_ratios": {key: ratio.tolist() for key, ratio in ratios._asdict().items()},
                "estimator": {"best_epoch": estimator.best_epoch, "validation": estimator.history},
                "best_epoch": trained.best_epoch,
                "validation": trained.history,
            },
        )

    def recipe_of_estimator(self, recipe: Recipe) -> Recipe:
        """Return the recipe of the noise estimator, given the context's."""
        confidence = _confidence(self.estimator_confidence, recipe)
        return self._recipe(recipe).replace(audio_weight=1.0, visual_confidence=confidence)

    def recipe_of_parser(self, recipe: Recipe) -> Recipe:
        """Return the recipe of the parser, given the context's."""
        return self._recipe(recipe).replace(visual_confidence=_confidence(self.parser_confidence, recipe))

    def _recipe(self, recipe: Recipe) -> Recipe:
        return recipe.replace(
            audio_confidence=AUDIO_CONFIDENCE,
            video_target="original",
            video_weight=1.0,
            audio_weight=2.0,
            visual_weight=1.0,
            contrastive_weight=self.contrastive_weight,
            contrastive="jomold",
        )

    def _train_estimator(self, context: Context) -> TrainedParser:
        labels, recipe = context.data["train"].labels, self.recipe_of_estimator(context.recipe)
        return parser_in(
            context,
            labels,
            labels,
            recipe,
            network=Unimodal(_fresh_network(context, recipe)),
        )

    def _train_parser(self, context: Context, recipe: Recipe, ratios: NoiseRatios) -> TrainedParser:
        labels = context.data["train"].labels
        batches = -(-len(labels) // recipe.batch_size)
        return parser_in(
            context,
            labels,
            labels,
            recipe,
            network=_fresh_network(context, recipe),
            revise_targets=self._revision(ratios, batches, recipe),
        )

    def _revision(self, ratios: NoiseRatios, batches: int, recipe: Recipe) -> TargetRevision:
        """Return the removal step of the training, (1) to (3) of the method's third stage."""

        def revise(network: TaskNetwork, batch: Batch, targets: Targets, epoch: int, number: int) -> Targets:
            # On the CPU, as a plain number: no transfer to the device.
            factor = float(
                warm_up_factor(epoch, torch.tensor(number), batches, self.warm_up_epochs, self.warm_up)
            )
            if factor == 0.0:
                return targets
            output = network(*batch, cross_attention=False)
            scaled = NoiseRatios(ratios.audio * factor, ratios.visual * factor)
            # The video target is the original label here.
            removals = jomold_removals(
                output.audio, output.visual, targets.video, scaled, recipe.clamp, recipe.visual_confidence
            )
            return targets._replace(
                audio=targets.audio.masked_fill(removals.audio, 0.0),
                visual=targets.visual.masked_fill(removals.visual, 0.0),
            )

        return revise


def _confidence(chosen: float | None, recipe: Recipe) -> float:
    """Return what is chosen, or else the recipe's own."""
    return recipe.visual_confidence if chosen is None else chosen


def _fresh_network(context: Context, recipe: Recipe) -> TaskNetwork:
    train = context.data["train"]
    return make_task_network(
        recipe,
        **feature_sizes(train),
        hidden_size=context.hidden_size,
        seed=context.seed,
        device=context.data.device,
    )


def _removal_score(removals: Removals, ratios: NoiseRatios) -> Tensor:
    """Return (N, 2, C) float32 in [0, 1]: ratio / (ratio + share), at least one half exactly where removed."""
    shares = torch.stack((removals.audio_share, removals.visual_share), dim=1)
    ratio = torch.stack(tuple(ratios))
    # An absent label's share is infinite and its score 0; a class without noise scores 0 throughout.
    return (ratio / (ratio + shares)).float()
