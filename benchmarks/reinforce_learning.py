"""What does REINFORCE learn? Removal rate, precision and validation F over episodes, several seeds.

    python benchmarks/reinforce_learning.py --seeds 0 1 2 --episodes 100 --out docs/reinforce

Every seed is a fresh policy and fresh episodes on the same twin. Precision is the share of removed labels that the
hidden truth calls noise; a policy that removes at random has the noise rate as its precision.
"""

import argparse
import csv
import math
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib.pyplot as plt
import numpy as np

from rlld_agents import HybridAttentionPolicy, Reinforce, ReinforceConfig
from rlld_agents.reports.results import mean_with_spread
from rlld_gym.data import open_data
from rlld_gym.files import atomic_path

MODALITIES = ("audio", "visual")


class RemovalPrecision(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Adds to info, summed over the episode: present labels, removals asked for, and those that hit noise."""

    def __init__(self, env: gymnasium.Env[Any, Any], labels: np.ndarray, truth: np.ndarray) -> None:
        super().__init__(env)
        self.noise = labels[:, None] & ~truth
        self.info: dict[str, Any] = {}
        self.counts: dict[str, int] = {}

    def reset(self, **arguments: Any) -> tuple[Any, dict[str, Any]]:
        """Start counting."""
        self.counts = {
            f"{kind}_{modality}": 0 for kind in ("free", "asked", "right") for modality in MODALITIES
        }
        observation, self.info = self.env.reset(**arguments)
        return observation, self.info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Count what the action asks for, before the environment gives labels back."""
        free = self.info["action_mask"] == 2
        asked = free & (np.asarray(action) > 0)
        right = asked & self.noise[self.info["indices"]]
        for kind, bits in (("free", free), ("asked", asked), ("right", right)):
            for modality, count in zip(MODALITIES, bits.sum(axis=(0, 2)), strict=True):
                self.counts[f"{kind}_{modality}"] += int(count)
        observation, reward, terminated, truncated, self.info = self.env.step(action)
        return observation, reward, terminated, truncated, {**self.info, **self.counts}


def train(data: str, seed: int, config: ReinforceConfig) -> list[dict[str, float]]:
    """Train one policy; return a row for every episode."""
    store = open_data(data)
    split = store.split("train")
    truth = split.truth()
    assert truth is not None
    env = gymnasium.make("rlld_gym:rlld/LabelDenoising-v0", data=data)
    env = RemovalPrecision(env, split.labels, np.stack(truth, axis=1))
    policy = HybridAttentionPolicy.for_spaces(
        env.observation_space, env.action_space, seed=seed, visual_3d_size=store.visual_3d_size
    )
    rows = []
    for row in Reinforce(policy, env, config).learn(
        callback=lambda row: print(seed, row["episode"], flush=True)
    ):
        summary = {"seed": seed, "episode": row["episode"], "return": row["rollout/ep_rew_mean"]}
        for modality in MODALITIES:
            asked = row[f"env/asked_{modality}"]
            summary[f"removal_rate_{modality}"] = asked / row[f"env/free_{modality}"]
            summary[f"precision_{modality}"] = row[f"env/right_{modality}"] / asked if asked else math.nan
        for name in ("segment_audio", "event_visual", "segment_type"):
            summary[f"validation_{name}"] = row[f"env/{name}"]
        rows.append(summary)
    return rows


def draw(rows: list[dict[str, float]], path: Path, title: str) -> None:
    """Draw each quantity over the episodes: one thin line a seed, the mean of moving averages as a thick one."""
    panels = {
        "removed labels (%)": ("removal_rate_audio", "removal_rate_visual"),
        "precision of removals (%)": ("precision_audio", "precision_visual"),
        "validation F after an episode (%)": ("validation_segment_audio", "validation_event_visual"),
        "return of an episode": ("return",),
    }
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.6), layout="constrained")
    for axis, (name, columns) in zip(axes, panels.items(), strict=True):
        for column, colour in zip(columns, ("#0072b2", "#d55e00"), strict=False):
            factor = 100 if column.startswith(("removal", "precision")) else 1
            curves = []
            for seed in sorted({row["seed"] for row in rows}):
                values = np.array([factor * row[column] for row in rows if row["seed"] == seed])
                axis.plot(np.arange(1, len(values) + 1), values, color=colour, alpha=0.25, linewidth=0.7)
                weights = 0.9 ** np.arange(len(values))
                curves.append(np.convolve(values, weights)[: len(values)] / np.cumsum(weights))
            label = column.replace("removal_rate_", "").replace("precision_", "").replace("validation_", "")
            episodes = np.arange(1, len(curves[0]) + 1)
            axis.plot(episodes, np.mean(curves, 0), color=colour, label=label.replace("_", " "))
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("episode")
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    figure.suptitle(title)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def table(rows: list[dict[str, float]], window: int) -> str:
    """Return a Markdown table of the first and the last ``window`` episodes: mean and deviation over seeds."""
    names = [name for name in rows[0] if name not in ("seed", "episode")]
    last = max(row["episode"] for row in rows)
    lines = [f"| quantity | first {window} episodes | last {window} episodes |", "|---|---|---|"]
    for name in names:
        cells = []
        for low, high in ((1, window), (last - window + 1, last)):
            seeds = [
                np.nanmean(
                    [row[name] for row in rows if row["seed"] == seed and low <= row["episode"] <= high]
                )
                for seed in sorted({row["seed"] for row in rows})
            ]
            cells.append(mean_with_spread(map(float, seeds), digits=3))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, train, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--baseline", choices=("none", "ema"), default="none")
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--out", type=Path, required=True, help="prefix of the CSV and PNG files")
    arguments = parser.parse_args()
    rows = []
    for seed in arguments.seeds:
        config = ReinforceConfig(
            episodes=arguments.episodes,
            seed=seed,
            baseline=arguments.baseline,
            learning_rate=arguments.learning_rate,
        )
        rows += train(arguments.data, seed, config)
    with (
        atomic_path(arguments.out.with_suffix(".csv")) as temporary,
        open(temporary, "w", newline="") as file,
    ):
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows([{k: round(v, 4) for k, v in row.items()} for row in rows])
    title = f"REINFORCE, baseline {arguments.baseline}, {arguments.data}, seeds {arguments.seeds}"
    draw(rows, arguments.out.with_suffix(".png"), title)
    print(table(rows, window=20))


if __name__ == "__main__":
    main()
