"""What a method hands back that leaves labels, with or without a parser of its own."""

from collections.abc import Sequence
from typing import Any, Literal

from rlld_agents.baselines.base import Context, Denoised
from rlld_agents.baselines.parts.parser import parser_in
from rlld_agents.labels.revised import RevisedLabels
from rlld_agents.policies.online import OnlinePlan, train_online
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES


def parsed_labels(
    revised: RevisedLabels, context: Context, contrastive_weight: float, used: str, details: dict[str, Any]
) -> Denoised:
    """Return the labels; with the contrastive loss, also the parser that it trains on them."""
    network = None
    if contrastive_weight:
        recipe = context.recipe.replace(contrastive_weight=contrastive_weight, contrastive="jomold")
        network = parser_in(context, revised.audio, revised.visual, recipe).network
    return Denoised(revised.audio, revised.visual, revised.removal_probability, network, used, details)


def parsed_with(
    plan: OnlinePlan,
    context: Context,
    *,
    final: Literal["frozen", "online"],
    contrastive_weight: float,
    used: str,
    details: dict[str, Any],
) -> Denoised:
    """Return a policy's labels and parser, trained on them as they are or with the policy in the loop."""
    if final == "frozen":
        return parsed_labels(plan.first, context, contrastive_weight, used, details)
    return parsed_online(plan, context, contrastive_weight, used, details)


def learning_curve(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Return a log's rows as a table's cell keeps them: "episode", "return" and ten scores, column by column."""
    columns = {"episode": "episode", "return": "rollout/ep_rew_mean"} | {
        name: f"env/{name}" for name in SCORE_NAMES
    }
    return {name: [row[column] for row in rows] for name, column in columns.items()}


def check_final(final: str) -> None:
    """Raise InputError where a final parser is trained neither on frozen labels nor online."""
    if final not in ("frozen", "online"):
        raise InputError(f"final is {final!r}, expected frozen or online")


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
