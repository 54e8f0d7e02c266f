"""Who climbs the return best? REINFORCE over parameters beside other optimisers, and more parameters to explore.

    OMP_NUM_THREADS=1 python -m benchmarks.exploration_optimisers --data-seed 1 --seeds 0 1 2 --out runs/optimisers

All play the same number of episodes on the environment of `rlld train --preset rlld`, from the same policy on:

- reinforce: the bundled estimator, half its branch's return and half what a class earned itself;
- reinforce, episode: the same with the branch's return alone;
- reinforce, adapted: the first with deviations that adapt;
- shares: reinforce, exploring which share of a class's labels goes instead of how much evidence a label needs;
- shares, episode: the same with the branch's return alone;
- snes: separable natural evolution strategies (Schaul et al., GECCO 2011) on the return, in mirrored pairs;
- cma-es: separable CMA-ES of pycma (Hansen, 2016; `pip install cma`) on the return;
- gains: reinforce, exploring the weights of the evidence as well;
- heads: reinforce, exploring the hybrid-attention network's own heads as well, in a random subspace.

SNES and CMA-ES play all episodes of a generation on one seed, so that what differs is the parameters' doing. What
they end with is played on fresh seeds. A CSV file has the runs, a Markdown file the table.
"""

import argparse
import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.more_parameters import GainsPolicy, HeadsPolicy, SharesPolicy
from rlld_agents.labels.removal import removal_quality
from rlld_agents.policies.denoising import removal_logits
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.reinforce.policy_rollout import explored_parameters, play_policy, set_parameters
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_agents.reinforce.reward_only import evidence_policy, paid_environment, reward_only_config
from rlld_agents.reports.results import csv_value, markdown
from rlld_agents.runs.setting import Setting
from rlld_gym.data.catalog import open_data
from rlld_gym.files import write_text

POPULATION = 8
FRESH_SEED = 10_000
"""First of the seeds on which the policies are compared in the end."""

COLUMNS = {
    "return": "return, four fresh seeds",
    "visual_precision": "visual precision",
    "visual_recall": "recall",
    "rate_error": "error of a class's visual rate",
}

Row = dict[str, Any]
Environment = gymnasium.Env[Any, Any]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """What all optimisers begin with."""

    env: Environment
    policy: EvidencePolicy
    episodes: int
    seed: int

    def play(self, values: Values, seed: int) -> float:
        """Return the return of an episode with these numbers as the explored parameters."""
        _set(self.policy, values)
        plain = Reinforce(self.policy, self.env, reward_only_config()).branch_rewards
        return float(play_policy(self.policy, self.env, seed, plain).returns.mean())


def reinforce(task: Task, **options: Any) -> None:
    """Let the bundled estimator move the policy."""
    config = reward_only_config(episodes=task.episodes, seed=task.seed)
    Reinforce(task.policy, task.env, type(config)(**{**vars(config), **options})).learn()


def snes(task: Task, rate: float = 1.0) -> None:
    """Move the policy by separable natural evolution strategies.

    Args:
        task: what to begin with.
        rate: of the mean; that of the deviations is the paper's.
    """
    generator = np.random.default_rng(task.seed)
    mean = _get(task.policy)
    deviation = np.full_like(mean, reward_only_config().deviation)
    sigma_rate = (3 + math.log(len(mean))) / (5 * math.sqrt(len(mean)))
    ranks = np.maximum(0, math.log(POPULATION / 2 + 1) - np.log(np.arange(1, POPULATION + 1)))
    utilities = ranks / ranks.sum() - 1 / POPULATION
    for generation in range(task.episodes // POPULATION):
        half = generator.standard_normal((POPULATION // 2, len(mean)))
        drawn = np.concatenate([half, -half])
        returns = [task.play(mean + deviation * noise, task.seed + generation) for noise in drawn]
        best_first = drawn[np.argsort(returns)[::-1]]
        mean = mean + rate * deviation * (utilities @ best_first)
        deviation = deviation * np.exp(sigma_rate / 2 * (utilities @ (best_first**2 - 1)))
    _set(task.policy, mean)


def cma_es(task: Task) -> None:
    """Move the policy by pycma's separable CMA-ES, mirrored as the others."""
    import cma  # noqa: PLC0415

    options = {"popsize": POPULATION, "CMA_diagonal": True, "seed": task.seed + 1, "verbose": -9}
    strategy = cma.CMAEvolutionStrategy(_get(task.policy), reward_only_config().deviation, options)
    for generation in range(task.episodes // POPULATION):
        asked = strategy.ask()
        strategy.tell(asked, [-task.play(values, task.seed + generation) for values in asked])
    _set(task.policy, np.asarray(strategy.mean))


SHARES: dict[str, Any] = {"deviation": 0.3, "step_size": 0.8 * 0.3 / 0.7}
"""An action's range is 2, that of a shift some five deviations of the evidence: as far, in units of each."""

OPTIMISERS: dict[str, Callable[[Task], None]] = {
    "reinforce": reinforce,
    "reinforce, episode": partial(reinforce, advantage="episode"),
    "reinforce, adapted": partial(reinforce, deviation_step=0.2),
    "shares": partial(reinforce, **SHARES),
    "shares, episode": partial(reinforce, advantage="episode", **SHARES),
    "snes": snes,
    "cma-es": cma_es,
    "gains": reinforce,
    "heads": reinforce,
}


def run(name: str, setting: Setting, episodes: int, seed: int) -> Row:
    """Return what one optimiser's policy earns and removes after its episodes."""
    policy = _policy(name, setting, seed)
    env = paid_environment(setting.environment_arguments())
    task = Task(env, policy, episodes, seed)
    OPTIMISERS[name](task)
    final = _get(policy)
    returns = [task.play(final, FRESH_SEED + number) for number in range(4)]
    env.close()
    return {"optimiser": name, "seed": seed, "return": float(np.mean(returns)), **_removed(policy, setting)}


def _policy(name: str, setting: Setting, seed: int) -> EvidencePolicy:
    arguments = setting.environment_arguments()
    policy = evidence_policy(arguments, setting.tensors, setting.hidden_size)
    if name.startswith("shares"):
        return SharesPolicy.of(policy, setting.tensors["train"])
    if name not in ("gains", "heads"):
        return policy
    return GainsPolicy.of(policy) if name == "gains" else HeadsPolicy.of(policy, seed)


def _removed(policy: EvidencePolicy, setting: Setting) -> dict[str, float | None]:
    """Return how good the removals are, and how far the classes' visual rates are from the true ones."""
    train = open_data(setting.data, setting.data_seed).split("train")
    truth = train.truth()
    assert truth is not None
    tensors = setting.tensors["train"]
    everything = torch.arange(len(tensors), device=setting.device)
    audio, visual = (torch.cat(removal_logits(policy, tensors, everything)) <= 0).unbind(1)
    present = train.labels.astype(np.bool_)
    quality = removal_quality(present, present & audio.cpu().numpy(), present & visual.cpu().numpy(), truth)
    found = quality.visual
    assert found.noisy is not None
    rates = np.abs(found.removed - found.noisy) / np.maximum(found.labels, 1)
    return {
        "visual_precision": found.precision,
        "visual_recall": found.recall,
        "rate_error": float(rates[found.labels > 0].mean()),
    }


def _get(policy: EvidencePolicy) -> Values:
    parameters = explored_parameters(policy).values()
    return torch.cat([value.detach().cpu().flatten() for value in parameters]).double().numpy()


def _set(policy: EvidencePolicy, values: Values) -> None:
    parameters = explored_parameters(policy)
    sizes = [value.numel() for value in parameters.values()]
    parts = torch.split(torch.as_tensor(values, dtype=torch.float32), sizes)
    named = zip(parameters.items(), parts, strict=True)
    set_parameters(parameters, {name: part.view(value.shape) for (name, value), part in named})


def table(rows: Sequence[Row]) -> str:
    """Return mean and standard deviation over the seeds as a Markdown table."""
    names = list(dict.fromkeys(row["optimiser"] for row in rows))
    cells = [
        [name, *(_cell([row[column] for row in rows if row["optimiser"] == name]) for column in COLUMNS)]
        for name in names
    ]
    return markdown(["", *COLUMNS.values()], cells) + "\n"


def _cell(values: Sequence[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) if len(values) > 1 else 0:.3f}"


def main() -> None:
    """Parse the command line, play, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--data-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--optimisers", nargs="+", default=list(OPTIMISERS), choices=list(OPTIMISERS))
    parser.add_argument("--out", type=Path, required=True, help="prefix of the CSV and Markdown files")
    options = parser.parse_args()
    setting = Setting(options.data, options.data_seed)
    rows: list[Row] = []
    for seed in options.seeds:
        for name in options.optimisers:
            rows.append(run(name, setting, options.episodes, seed))
            print(rows[-1], flush=True)
            options.out.parent.mkdir(parents=True, exist_ok=True)
            write_text(options.out.with_suffix(".md"), table(rows))
            write_text(options.out.with_suffix(".csv"), _csv(rows))


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(rows[0]), *([csv_value(value) for value in row.values()] for row in rows)])
    return text.getvalue()


if __name__ == "__main__":
    main()
