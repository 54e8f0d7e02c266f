"""From imitation on by reward: evidence beside the imitated log-odds, and REINFORCE over the shifts of the classes.

What few dense videos cannot teach a policy, a parser that has seen all training videos may know, and the validation
F-score says how many labels of a class should go. How much a parser's evidence counts is chosen on the validation
videos, whose imitated log-odds are out of fold; the shifts are left to the reward.
"""

from collections.abc import Mapping
from typing import Any, Final

import torch

from rlld_agents.imitation.joint import JointRound
from rlld_agents.labels.estimate import estimate_removals
from rlld_agents.labels.log_odds import log_odds
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.reinforce.acceptance import earns_more, returns_of
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_agents.reinforce.reward_only import evidence_policy, paid_environment
from rlld_gym.data.tensors import StoreTensors

WEIGHTS: Final = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""How much a deviation of evidence may count, in log-odds."""


def combined_policy(
    outcome: JointRound,
    environment: Mapping[str, Any],
    data: StoreTensors,
    hidden_size: int,
    never_visible: int | None,
) -> tuple[CombinedPolicy, float]:
    """Return a policy that adds a parser's evidence to imitation, and the weight of the evidence.

    Args:
        outcome: of the imitation.
        environment: arguments of rlld/LabelDenoising-v0, from whose starting parser the evidence comes.
        data: the data set, on the device of the policy.
        hidden_size: width of the parser.
        never_visible: index of the class that quality is also measured without; None: there is none.

    Returns:
        The policy, its shifts 0, and the weight of highest quality on the validation videos, the lower of equals.
    """
    validation = data["val"]
    evidence = evidence_policy(environment, data, hidden_size)
    policy = CombinedPolicy(outcome.policy, evidence)
    imitated = log_odds(outcome.warm.probability)
    needed = (evidence.centre - evidence.evidence_of(validation)) / evidence.spread
    present = validation.labels.unsqueeze(1)

    def quality(weight: float) -> float:
        probability = torch.sigmoid(imitated + weight * needed) * present
        return estimate_removals(probability, validation, never_visible).quality

    best = max(WEIGHTS, key=quality)
    policy.weigh_evidence(best)
    return policy, best


def better_start(
    imitated: CombinedPolicy,
    environment: Mapping[str, Any],
    config: ReinforceConfig,
    data: StoreTensors,
    hidden_size: int,
) -> RemovalPolicy:
    """Return what REINFORCE is to begin with: imitation, unless evidence alone earns more.

    A few dense videos teach a policy less than a parser knows that has seen all weak labels. Which of the two it
    is, the reward says: both play the same four episodes.

    Args:
        imitated: of `combined_policy`.
        environment: arguments of rlld/LabelDenoising-v0.
        config: of the REINFORCE that follows.
        data: the data set, on the device of the policies.
        hidden_size: width of the parser.
    """
    env = paid_environment(environment)
    evidence = evidence_policy(environment, data, hidden_size)
    returns = [returns_of(Reinforce(policy, env, config)) for policy in (evidence, imitated)]
    env.close()
    return evidence if earns_more(*returns) else imitated
