"""Training a parser within a method: the call that all methods share."""

from typing import Any

from rlld_agents.baselines.base import Context
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
