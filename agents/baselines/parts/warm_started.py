"""What methods that imitate share: a parser trained on the weak labels, and policies that start from it."""

from functools import partial

from rlld_agents.baselines.base import Context
from rlld_agents.baselines.parts.parser import parser_in
from rlld_agents.imitation import WarmStart, WarmStartConfig, warm_start
from rlld_agents.labels.removal_rule import RemovalRule
from rlld_agents.policies.start import startable_policy
from rlld_gym.parsing.epochs import TrainedParser
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import network_options


def parser_on_weak_labels(context: Context, recipe: Recipe) -> TrainedParser:
    """Return a parser to start from."""
    labels = context.data["train"].labels
    return parser_in(context, labels, labels, recipe)


def warm_start_in(
    context: Context, config: WarmStartConfig, parser: TaskNetwork | None, threshold: float
) -> WarmStart:
    """Let policies imitate the truth of a context's validation videos.

    Args:
        context: with dense labels of at least two validation videos.
        config: the options.
        parser: to start from; None: random weights.
        threshold: for precision and recall of the estimate.

    Raises:
        InputError: fewer than two videos.
    """
    start = partial(
        startable_policy,
        context.data["train"],
        hidden_size=context.hidden_size,
        seed=context.seed,
        network=context.recipe.network,
        options=network_options(context.recipe),
        parser=parser,
    )
    return warm_start(
        start,
        context.data["val"],
        config,
        seed=context.seed,
        never_visible=context.never_visible_index,
        rule=RemovalRule(threshold),
        progress=context.progress,
    )
