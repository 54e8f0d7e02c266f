"""How noisy is a policy gradient, depending on how many action bits share a reward?

    python benchmarks/credit_variance.py --seeds 0 1 2 --out runs/credit_variance

A policy acts in rlld/LabelDenoising-v0 with reward="credit" until its task network has taken ``--warm-up`` steps;
the credit of the next ``--batches`` batches is kept. Credit does not depend on actions: the exact gradient of the
expected credit is known. Then actions for these batches are sampled again and again, and REINFORCE's estimate of
the gradient from a single sample is compared with it. Relative variance: mean squared distance from the exact
gradient over its squared norm. Cosine: mean cosine with it. "episode" shares one reward over all the batches.
"""

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

from rlld_agents import ReinforceConfig
from rlld_agents.imitation.joint import JointConfig, joint_rounds
from rlld_agents.policies.start import startable_policy
from rlld_agents.reinforce.advantage_estimator import AdvantageEstimator
from rlld_agents.reinforce.advantages import Advantage, Baseline, Outcome, spread
from rlld_agents.reinforce.distribution import MaskedBernoulli
from rlld_agents.reports.canvas import new_figure, save_figure
from rlld_agents.reports.figures import COLOURS, style_axes
from rlld_agents.reports.results import markdown
from rlld_gym.data import open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.files import atomic_path
from rlld_gym.parsing.recipes import get_recipe

ENVIRONMENT_ID = "rlld_gym:rlld/LabelDenoising-v0"
LEVELS: tuple[Advantage, ...] = ("label", "video", "step", "episode")
SCHEMES: tuple[tuple[Advantage, Baseline], ...] = (
    ("label", "none"),
    ("label", "expected"),
    ("label", "optimal"),
    ("video", "none"),
    ("video", "leave_one_out"),
    ("video", "expected"),
    ("step", "none"),
    ("step", "expected"),
    ("episode", "none"),
    ("episode", "expected"),
)


@dataclass(frozen=True)
class Batches:
    """Batches that a policy is asked about, one after the other along the first axis of the observations."""

    audio: Tensor
    visual: Tensor
    mask: Tensor
    credit: Tensor
    sizes: list[int]


def policies(data: str, seed: int) -> dict[str, nn.Module]:
    """Return an untrained policy and one that started from a parser and imitated the validation videos."""
    tensors = shared_tensors(data, "cpu")
    recommended = open_data(data).header.recommended
    hidden_size = recommended.hidden_size
    (first,) = joint_rounds(
        tensors,
        get_recipe(recommended.recipe),
        JointConfig(rounds=1),
        hidden_size=hidden_size,
        seed=seed,
    )
    return {
        "untrained": startable_policy(tensors["train"], hidden_size=hidden_size, seed=seed),
        "warm start": first.policy,
    }


def collect(policy: nn.Module, options: argparse.Namespace, seed: int) -> Batches:
    """Play an episode and keep the steps after the warm-up."""
    length = options.warm_up + options.batches
    env = gymnasium.make(
        ENVIRONMENT_ID,
        data=options.data,
        reward="credit",
        credit_loss=options.credit_loss,
        episode_length=length,
        subset=1.0,
        device="cpu",
    )
    generator = torch.Generator().manual_seed(seed)
    observation, info = env.reset(seed=seed)
    kept: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for step in range(length):
        audio, visual = (torch.from_numpy(observation[name]) for name in ("audio", "visual"))
        mask = torch.from_numpy(info["action_mask"])
        with torch.no_grad():
            action = MaskedBernoulli(policy(audio, visual), mask).sample(generator)
        observation, _, _, _, info = env.step(action.numpy())
        if step >= options.warm_up:
            kept.append((audio, visual, mask, torch.from_numpy(info["label_credit"])))
    env.close()
    audio, visual, mask, credit = (torch.cat(part) for part in zip(*kept, strict=True))
    return Batches(audio, visual, mask, credit, [len(part[0]) for part in kept])


def measure(
    policy: nn.Module, batches: Batches, samples: int, seed: int
) -> dict[tuple[str, str], tuple[float, float]]:
    """Return relative variance and mean cosine by advantage and baseline."""
    generator = torch.Generator().manual_seed(seed)
    distribution = MaskedBernoulli(policy(batches.audio, batches.visual), batches.mask)
    parameters = list(policy.parameters())

    def gradient(objective: Tensor) -> Tensor:
        parts = torch.autograd.grad(objective, parameters, retain_graph=True, materialize_grads=True)
        return torch.cat([part.flatten() for part in parts])

    exact = gradient((batches.credit * distribution.probabilities()).sum())
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(samples):
        action = distribution.sample(generator)
        log_probabilities = distribution.log_probabilities(action)
        for advantage, baseline in SCHEMES:
            weights = bit_weights(distribution, action, batches, advantage, baseline)
            estimate = gradient((log_probabilities * weights).sum())
            distance = (estimate - exact).square().sum() / exact.square().sum()
            cosine = torch.cosine_similarity(estimate, exact, dim=0)
            found.setdefault((advantage, baseline), []).append((float(distance), float(cosine)))
    return {
        scheme: (float(np.mean([v for v, _ in values])), float(np.mean([c for _, c in values])))
        for scheme, values in found.items()
    }


def bit_weights(
    distribution: MaskedBernoulli, action: Tensor, batches: Batches, advantage: Advantage, baseline: Baseline
) -> Tensor:
    """Return what multiplies the log-probability of each bit of all batches, (batches x B, 2, C)."""
    within: Advantage = "step" if advantage == "episode" else advantage
    estimator = AdvantageEstimator(ReinforceConfig(advantage=within, baseline=baseline))
    tensors = (distribution.logits.detach(), batches.mask, action.bool() & distribution.free, batches.credit)
    weights = []
    for logits, mask, removed, credit in zip(*(torch.split(t, batches.sizes) for t in tensors), strict=True):
        outcome = Outcome(removed, torch.zeros(2), None, credit)
        values = estimator.of_step(outcome, MaskedBernoulli(logits, mask))
        weights.append(spread(values, within).expand_as(credit))
    if advantage == "episode":  # its reward is the sum of its steps'
        total = torch.stack([weight[0] for weight in weights]).sum(0)
        weights = [total.expand_as(weight) for weight in weights]
    return torch.cat(weights)


def draw(rows: list[dict[str, str | float]], path: Path, title: str) -> None:
    """Draw variance and cosine over the levels: a line for each policy, with and without the baseline."""
    figure = new_figure(9.5, 3.8)
    panels = figure.subplots(1, 2)
    for axes, column, text in zip(
        panels,
        ("relative_variance", "cosine"),
        ("relative variance of one sample", "cosine with the exact gradient"),
        strict=True,
    ):
        for colour, policy in zip(COLOURS, dict.fromkeys(row["policy"] for row in rows), strict=False):
            for baseline, style in (("expected", "-"), ("none", "--")):
                chosen = [row for row in rows if (row["policy"], row["baseline"]) == (policy, baseline)]
                values = [
                    [float(row[column]) for row in chosen if row["advantage"] == level] for level in LEVELS
                ]
                label = f"{policy}, " + ("expected reward" if baseline == "expected" else "no baseline")
                axes.plot(range(len(LEVELS)), [np.mean(v) for v in values], style, color=colour, label=label)
                for place, seeds in enumerate(values):
                    axes.plot([place] * len(seeds), seeds, "o", color=colour, markersize=3, alpha=0.5)
        axes.set_xticks(range(len(LEVELS)), LEVELS)
        style_axes(axes, text)
    panels[0].set_yscale("log")
    panels[1].set_ylim(-0.1, 1.02)
    panels[0].legend(frameon=False, fontsize=8)
    figure.supxlabel("bits that share a reward are those of a ...", fontsize=9)
    figure.suptitle(title, fontsize=12, fontweight="bold")
    save_figure(figure, path)


def main() -> None:
    """Parse the command line, measure, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--warm-up", type=int, default=100, help="steps of the task network before")
    parser.add_argument("--batches", type=int, default=8, help="batches, the steps of an episode")
    parser.add_argument("--samples", type=int, default=10)
    parser.add_argument("--credit-loss", default="segment_f1")
    parser.add_argument("--out", type=Path, required=True, help="prefix of the CSV and PNG files")
    options = parser.parse_args()
    rows: list[dict[str, str | float]] = []
    for seed in options.seeds:
        for name, policy in policies(options.data, seed).items():
            batches = collect(policy, options, seed)
            for (advantage, baseline), (variance, cosine) in measure(
                policy, batches, options.samples, seed
            ).items():
                row = {"policy": name, "advantage": advantage, "baseline": baseline, "seed": seed}
                rows.append(row | {"relative_variance": variance, "cosine": cosine})
    lines = []
    for advantage, baseline in SCHEMES:
        cells = []
        for name in dict.fromkeys(str(row["policy"]) for row in rows):
            chosen = [
                row
                for row in rows
                if (row["policy"], row["advantage"], row["baseline"]) == (name, advantage, baseline)
            ]
            means = [
                np.mean([float(row[column]) for row in chosen]) for column in ("relative_variance", "cosine")
            ]
            cells += [f"{means[0]:.2g}", f"{means[1]:.2f}"]
        lines.append([advantage, baseline, *cells])
    head = ["reward shared by", "baseline", "untrained: variance", "cosine", "warm start: variance", "cosine"]
    print(markdown(head, lines))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(options.out.with_suffix(".csv")) as path, open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )
    title = f"Policy gradients from credit, {options.data}, seeds {', '.join(map(str, options.seeds))}"
    draw(rows, options.out.with_suffix(".png"), title)


if __name__ == "__main__":
    main()
