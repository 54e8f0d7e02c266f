"""Training a parser within a method: the call that all methods share."""

from dataclasses import replace
from typing import Any

from rlld_agents.baselines.base import EPOCH_SELECTION, NO_VALIDATION_LABELS, Context, Denoised
from rlld_gym.parsing.epochs import TrainedParser
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.targets import Labels
from rlld_gym.parsing.training import train_parser


def parser_in(
    context: Context, audio_labels: Labels, visual_labels: Labels, recipe: Recipe, **options: Any
) -> TrainedParser:
    """Train a parser on a context's data with its width, seed and progress.

    Args:
        context: of the method.
        audio_labels: (N, C), of the training videos.
        visual_labels: likewise.
        recipe: how to train.
        **options: further arguments of ``train_parser``.
    """
    return train_parser(
        context.data,
        audio_labels,
        visual_labels,
        recipe,
        hidden_size=context.hidden_size,
        seed=context.seed,
        progress=context.progress,
        **options,
    )


def with_contrastive_loss(denoised: Denoised, context: Context, weight: float) -> Denoised:
    """Return a method's labels with the parser that is trained on them with the contrastive loss ("+ CL").

    Args:
        denoised: labels without a parser.
        context: of the method.
        weight: of JoMoLD's contrastive loss; 0: the labels as they are, for the study to train on.
    """
    if not weight:
        return denoised
    recipe = context.recipe.replace(contrastive_weight=weight, contrastive="jomold")
    trained = parser_in(context, denoised.audio, denoised.visual, recipe)
    used = denoised.validation_labels
    return replace(
        denoised,
        network=trained.network,
        validation_labels=EPOCH_SELECTION if used == NO_VALIDATION_LABELS else used,
        details=denoised.details | {"best_epoch": trained.best_epoch, "validation": trained.history},
    )
