"""Whether what REINFORCE has learned earns more than what it began with."""

import statistics
from collections.abc import Mapping

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
    after = explored_values(agent)
    first = agent.config.seed * EPISODES_APART + SEEDS_APART
    seeds = range(first, first + EPISODES)
    with rollouts_of(agent.policy, agent.env, agent.config.rollout_workers, agent.branch_rewards) as play:
        rollouts = play([(values, seed) for seed in seeds for values in (dict(before), after)])
    returns = [float(rollout.returns.mean()) for rollout in rollouts]
    gains = [new - old for old, new in zip(returns[::2], returns[1::2], strict=True)]
    better: bool = statistics.mean(gains) > statistics.stdev(gains) / len(gains) ** 0.5
    if not better:
        set_parameters(explored_parameters(agent.policy), before)
    return better
