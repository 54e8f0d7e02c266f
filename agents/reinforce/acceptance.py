"""Which of two policies earns more: what REINFORCE has learned or what it began with, one beginning or another."""

import statistics
from collections.abc import Mapping, Sequence

from torch import Tensor

from rlld_agents.reinforce.policy_rollout import explored_parameters, set_parameters
from rlld_agents.reinforce.reinforce import EPISODES_APART, Reinforce
from rlld_agents.reinforce.rollout_pool import rollouts_of

EPISODES = 4
"""On whose seeds both are compared."""

SEEDS_APART = 500_009
"""From the seeds of the episodes that were learned from."""


def explored_values(agent: Reinforce) -> dict[str, Tensor]:
    """Return copies of the explored parameters of an agent's policy, by name."""
    return {name: value.detach().clone() for name, value in explored_parameters(agent.policy).items()}


def keep_if_better(agent: Reinforce, before: Mapping[str, Tensor]) -> bool:
    """Give a policy its old explored parameters back unless the new ones earn more on episodes of their own.

    Where the reward has nothing to teach, updates are a random walk. Both act deterministically on the same seeds;
    the new ones stay where the mean gain is larger than its standard error.

    Args:
        agent: after learning; its environment is used.
        before: what `explored_values` returned before.

    Returns:
        Whether the new ones stay.
    """
    better = earns_more(returns_of(agent), returns_of(agent, before))
    if not better:
        set_parameters(explored_parameters(agent.policy), before)
    return better


def returns_of(agent: Reinforce, values: Mapping[str, Tensor] | None = None) -> list[float]:
    """Return what an agent's policy earns without exploring, in `EPISODES` episodes that it has not learned from.

    Args:
        agent: its environment is used; two of equal seeds are played on the same episodes.
        values: of the explored parameters; None: those that the policy has.
    """
    first = agent.config.seed * EPISODES_APART + SEEDS_APART
    played = explored_values(agent) if values is None else dict(values)
    with rollouts_of(agent.policy, agent.env, agent.config, agent.branch_rewards) as play:
        rollouts = play([(played, seed) for seed in range(first, first + EPISODES)])
    return [float(rollout.returns.mean()) for rollout in rollouts]


def earns_more(these: Sequence[float], those: Sequence[float]) -> bool:
    """Return whether the mean gain over paired episodes is larger than its standard error."""
    gains = [new - old for new, old in zip(these, those, strict=True)]
    return bool(statistics.mean(gains) > statistics.stdev(gains) / len(gains) ** 0.5)
