"""From imitation on by reward: evidence beside the imitated log-odds, and REINFORCE over the shifts of the classes.

What few dense videos cannot teach a policy, a parser that has seen all training videos may know, and the validation
F-score says how many labels of a class should go. How much a parser's evidence counts is chosen on the validation
videos, whose imitated log-odds are out of fold; the shifts are left to the reward.
"""

from collections.abc import Sequence
from typing import Final

import torch

from rlld_agents.imitation.joint import JointRound
from rlld_agents.labels.estimate import estimate_removals
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.starting_parser import starting_parser
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import network_options

WEIGHTS: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""How much a deviation of evidence may count, in log-odds."""

LARGEST_LOGIT: Final = 1e-4
"""Probabilities are kept this far from 0 and 1 before their log-odds are taken."""


def combined_policy(
    outcome: JointRound, data: StoreTensors, recipe: Recipe, hidden_size: int, classes: Sequence[str]
) -> tuple[CombinedPolicy, float]:
    """Return a policy that adds a parser's evidence to imitation, and the weight of the evidence.

    Args:
        outcome: of the imitation.
        data: the data set, on the device of the policy.
        recipe: of the starting parser, whose evidence it is.
        hidden_size: its width.
        classes: C names.

    Returns:
        The policy, its shifts 0, and the weight of highest quality on the validation videos, the lower of equals.
    """
    train, validation = data["train"], data["val"]
    evidence = EvidencePolicy.from_parser(
        starting_parser(data, recipe, hidden_size),
        train,
        network=recipe.network,
        hidden_size=hidden_size,
        options=network_options(recipe),
    )
    policy = CombinedPolicy(outcome.policy, evidence)
    imitated = torch.logit(outcome.warm.probability, eps=LARGEST_LOGIT)
    needed = (evidence.centre - evidence.evidence_of(validation)) / evidence.spread
    present = validation.labels.unsqueeze(1)

    def quality(weight: float) -> float:
        probability = torch.sigmoid(imitated + weight * needed) * present
        return estimate_removals(probability, validation, classes).quality

    best = max(WEIGHTS, key=quality)
    policy.weigh_evidence(best)
    return policy, best
