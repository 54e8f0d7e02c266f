"""How noisy is the gradient of the paper's scalar reward without a baseline, with a moving average, leave-one-out?

    python benchmarks/leave_one_out.py

An untrained policy that is never updated plays ``--rounds`` times K episodes side by side in
rlld/LabelDenoisingStacked-v0. From the same episodes, three estimates of the gradient of each round are made,
1/K sum_k 1/N sum_i grad log pi (R_k - b): without b, with the moving average of the copy's earlier returns (what
`Reinforce` would have in that copy alone), and with the mean return of the round's others. All have the same mean.
Reported is the mean squared length in the rounds after ``--burn-in`` over that without a baseline: the ratio of the
variances, as long as the mean gradient is short beside them. Its own squared length, from the products of the
gradients of different rounds, says whether it is (± standard error, for a mean near 0).
"""

import argparse
from typing import Any

import gymnasium
import torch
from torch import Tensor, nn

from rlld_agents import HybridAttentionPolicy, ParallelReinforce, ReinforceConfig
from rlld_agents.reinforce.advantage_estimator import AdvantageEstimator
from rlld_agents.reinforce.distribution import MaskedBernoulli
from rlld_agents.reinforce.episode import Step
from rlld_agents.reports.results import markdown

SCHEMES = ("none", "ema", "leave-one-out")


def score(policy: nn.Module, steps: list[Step]) -> Tensor:
    """Return 1/N sum_i grad log pi of each branch in one episode, (2, parameters)."""
    parameters = list(policy.parameters())
    total = torch.zeros(2, sum(parameter.numel() for parameter in parameters))
    for step in steps:
        features = (torch.from_numpy(step.observation[name]) for name in ("audio", "visual"))
        branches = MaskedBernoulli(policy(*features), step.mask).log_probabilities(step.action).sum((0, 2))
        for branch in range(2):
            parts = torch.autograd.grad(
                branches[branch], parameters, retain_graph=branch == 0, materialize_grads=True
            )
            total[branch] += torch.cat([part.flatten() for part in parts]) / len(steps)
    return total


def gradients(agent: ParallelReinforce, rounds: int) -> tuple[dict[str, Tensor], Tensor]:
    """Return the estimates of each round by scheme, (rounds, parameters), and the returns, (rounds, K, 2)."""
    copies = agent.envs.num_envs
    averages = [AdvantageEstimator(ReinforceConfig(baseline="ema")) for _ in range(copies)]
    found: dict[str, list[Tensor]] = {scheme: [] for scheme in SCHEMES}
    all_returns = []
    for _ in range(rounds):
        rollouts = agent.play_episodes()
        rewards = torch.tensor([[step.rewards for step in steps] for steps in rollouts], dtype=torch.float64)
        scores = torch.stack([score(agent.policy, steps) for steps in rollouts])
        advantages = {  # (K, 2): the same in every step of an episode
            "none": rewards.sum(1),
            "ema": torch.stack([own.of_episode(r)[0] for own, r in zip(averages, rewards, strict=True)]),
            "leave-one-out": agent.advantages.of_rollouts(rewards)[:, 0],
        }
        for scheme, weights in advantages.items():
            found[scheme].append((weights.float()[..., None] * scores).sum((0, 1)) / copies)
        all_returns.append(rewards.sum(1))
    return {scheme: torch.stack(rows) for scheme, rows in found.items()}, torch.stack(all_returns)


def measure(options: argparse.Namespace, lifespan: str) -> list[str]:
    """Return a row of the table: relative to no baseline, the squared lengths; then that of the mean."""
    arguments: dict[str, Any] = {
        "data": options.data,
        "batch_size": options.batch_size,
        "episode_length": options.steps,
        "task_lifespan": lifespan,
        "device": "cpu",
    }
    envs = gymnasium.make_vec("rlld_gym:rlld/LabelDenoisingStacked-v0", num_envs=options.copies, **arguments)
    policy = HybridAttentionPolicy.for_spaces(
        envs.single_observation_space, envs.single_action_space, hidden_size=options.hidden_size
    )
    agent = ParallelReinforce(policy, envs, ReinforceConfig(seed=options.seed))
    found, all_returns = gradients(agent, options.rounds)
    late = {scheme: rows[options.burn_in :].double() for scheme, rows in found.items()}
    lengths = {scheme: rows.square().sum(1).mean() for scheme, rows in late.items()}
    products = late["leave-one-out"] @ late["leave-one-out"].T
    above = torch.triu_indices(len(products), len(products), offset=1)
    pairs = products[above[0], above[1]]  # their mean has no bias, may be negative
    kept = all_returns[options.burn_in :].mean(-1)
    return [
        lifespan,
        f"{kept.mean():.2f} ± {kept.std(1).mean():.2f}",
        f"{all_returns[0].mean():.2f}, {all_returns[-1].mean():.2f}",
        *(f"{lengths[scheme] / lengths['none']:.2g}" for scheme in SCHEMES),
        " ± ".join(f"{v / lengths['none']:.1g}" for v in (pairs.mean(), pairs.std() / len(pairs) ** 0.5)),
    ]


def main() -> None:
    """Parse the command line, measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-tiny")
    parser.add_argument("--copies", type=int, default=8, help="K")
    parser.add_argument("--rounds", type=int, default=32)
    parser.add_argument("--burn-in", type=int, default=12, help="rounds for the moving average to settle")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=16, help="N, of an episode")
    parser.add_argument("--hidden-size", type=int, default=32, help="of the policy")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    head = ["parser lives for", "return ± spread in a round", "first, last round", *SCHEMES, "squared mean"]
    print(markdown(head, [measure(options, lifespan) for lifespan in ("episode", "run")]))


if __name__ == "__main__":
    main()
