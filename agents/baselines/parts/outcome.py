"""What a method hands back that leaves labels, with or without a parser of its own."""

from typing import Any

from rlld_agents.baselines.base import Context, Denoised
from rlld_agents.baselines.parts.parser import parser_in
from rlld_agents.labels.revised import RevisedLabels
from rlld_agents.policies.online import OnlinePlan, train_online


def parsed_labels(
    revised: RevisedLabels, context: Context, contrastive_weight: float, used: str, details: dict[str, Any]
) -> Denoised:
    """Return the labels; with the contrastive loss, also the parser that it trains on them."""
    network = None
    if contrastive_weight:
        recipe = context.recipe.replace(contrastive_weight=contrastive_weight, contrastive="jomold")
        network = parser_in(context, revised.audio, revised.visual, recipe).network
    return Denoised(revised.audio, revised.visual, revised.removal_probability, network, used, details)


def parsed_online(
    plan: OnlinePlan, context: Context, contrastive_weight: float, used: str, details: dict[str, Any]
) -> Denoised:
    """Train the method's parser with the policy in the loop; return it with the labels that they come to."""
    recipe = context.recipe.replace(contrastive_weight=contrastive_weight, contrastive="jomold")
    trained, revised = train_online(
        context.data,
        plan,
        recipe,
        hidden_size=context.hidden_size,
        seed=context.seed,
        progress=context.progress,
    )
    labels = revised.audio, revised.visual, revised.removal_probability
    return Denoised(*labels, trained.network, used, details)
