"""What do agents learn on removal rates? Returns over episodes against the controls', parsers on the labels left.

    python benchmarks/rates_learning.py --agents ppo sac es --episodes 480 --out docs/results/rates

Tune on another data seed than the one that is reported: --data twin-tiny --data-seed 1. ``es`` is the plain
gradient estimate of an evolution strategy with pairs: both branches of a pair start from the same reset seed.
"""

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium
import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.control_returns import control_returns, described
from rlld_agents.labels.controls import no_visual_speech
from rlld_agents.labels.revised import LabelSet
from rlld_agents.runs.setting import Setting
from rlld_gym.environment_ids import LABEL_DENOISING_RATES
from rlld_gym.files import atomic_path
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.training import train_parser

Action = NDArray[np.floating[Any]]

STD = 0.3
"""First standard deviation of an action's numbers, which lie within -1 and 1."""

PAIRS = 6


class Returns(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Writes down the return of every episode of one decision."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.returns: list[float] = []

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take note of the reward."""
        outcome = self.env.step(action)
        self.returns.append(float(outcome[1]))
        if len(self.returns) % 48 == 0:
            print(
                f"  {len(self.returns):4d} episodes: mean return {np.mean(self.returns[-48:]):.3f}",
                flush=True,
            )
        return outcome


def ppo(env: gymnasium.Env[Any, Any], episodes: int, seed: int) -> Action:
    """Learn with PPO; return the action without exploration."""
    from stable_baselines3 import PPO  # noqa: PLC0415 (an extra)

    rollout = 2 * PAIRS
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=3e-3,
        n_steps=rollout,
        batch_size=rollout,
        gamma=0.0,
        policy_kwargs={"log_std_init": float(np.log(STD))},
        seed=seed,
    )
    model.learn(episodes // rollout * rollout)
    return np.asarray(model.predict(env.reset(seed=seed)[0], deterministic=True)[0])


def sac(env: gymnasium.Env[Any, Any], episodes: int, seed: int) -> Action:
    """Learn with SAC; return the action without exploration."""
    from stable_baselines3 import SAC  # noqa: PLC0415 (an extra)

    model = SAC(
        "MlpPolicy",
        env,
        learning_rate=1e-3,
        learning_starts=24,
        gradient_steps=8,
        batch_size=64,
        gamma=0.0,
        ent_coef=0.01,
        policy_kwargs={"net_arch": [64, 64]},
        seed=seed,
    )
    model.learn(episodes)
    return np.asarray(model.predict(env.reset(seed=seed)[0], deterministic=True)[0])


def es(env: gymnasium.Env[Any, Any], episodes: int, seed: int) -> Action:
    """Follow the gradient estimate of antithetic pairs; return the mean action."""
    generator = np.random.default_rng(seed)
    mean = np.zeros(env.action_space.shape or ())
    for _ in range(episodes // (2 * PAIRS)):
        noise = generator.normal(size=(PAIRS, *mean.shape))
        gains = np.array([_gain(env, mean, STD * one, int(generator.integers(2**31))) for one in noise])
        gradient = np.tensordot(gains / (np.abs(gains).mean() + 1e-8), noise, axes=1) / PAIRS
        mean = np.clip(mean + 0.1 * gradient, -1, 1)
    return mean


def _gain(env: gymnasium.Env[Any, Any], mean: Action, offset: Action, seed: int) -> float:
    """Return how much more an episode pays on one side of the mean than on the other, halved."""
    paid = []
    for sign in (1, -1):
        env.reset(seed=seed)
        paid.append(float(env.step((mean + sign * offset).astype(np.float32))[1]))
    return (paid[0] - paid[1]) / 2


AGENTS: dict[str, Callable[[gymnasium.Env[Any, Any], int, int], Action]] = {"ppo": ppo, "sac": sac, "es": es}


def visual_score(setting: Setting, labels: LabelSet, seed: int) -> float:
    """Return segment-level visual F on the test split of a fresh parser."""
    tensors = setting.tensors
    trained = train_parser(tensors, *labels, setting.recipe, hidden_size=setting.hidden_size, seed=seed)
    return evaluate(trained.network, tensors["test"], setting.recipe.gate).as_dict()["segment_visual"]


def runs(arguments: argparse.Namespace, setting: Setting) -> Iterator[dict[str, Any]]:
    """Learn with every agent and seed; yield a row for each episode, the last one with the outcome."""
    for agent in arguments.agents:
        for seed in arguments.seeds:
            print(f"{agent}, seed {seed}", flush=True)
            env = Returns(gymnasium.make(LABEL_DENOISING_RATES, **options(arguments)))
            env.action_space.seed(seed)
            env.reset(seed=seed)
            action = AGENTS[agent](env, arguments.episodes, seed)
            env.reset(seed=seed)
            left = env.get_wrapper_attr("remaining_labels")(action)
            score = visual_score(setting, LabelSet(left[:, 0], left[:, 1]), seed)
            rule = no_visual_speech(setting.store.split("train"), setting.store.header.never_visible_index)
            of_rule = np.nan if rule is None else visual_score(setting, rule, seed)
            print(f"  segment V {score:.1f}, of the rule {of_rule:.1f}", flush=True)
            for episode, value in enumerate(env.returns, start=1):
                row = {"agent": agent, "seed": seed, "episode": episode, "return": round(value, 4)}
                last = episode == len(env.returns)
                yield row | ({"segment_visual": score, "rule_segment_visual": of_rule} if last else {})


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of the environment."""
    return {
        "data": arguments.data,
        "data_seed": arguments.data_seed,
        "episode_length": arguments.episode_length,
        "inter_scale": arguments.inter_weight / arguments.episode_length,
    }


def draw(rows: list[dict[str, Any]], controls: dict[str, float], path: Path) -> None:
    """Draw the returns, averaged over 24 episodes, with the controls' as lines."""
    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, value in controls.items():
        axes.axhline(value, color="0.6", linewidth=0.8)
        axes.annotate(
            name, (1, value), xycoords=("axes fraction", "data"), fontsize=8, ha="right", va="bottom"
        )
    for number, agent in enumerate(dict.fromkeys(row["agent"] for row in rows)):
        for seed in dict.fromkeys(row["seed"] for row in rows if row["agent"] == agent):
            curve = [row["return"] for row in rows if (row["agent"], row["seed"]) == (agent, seed)]
            width = min(24, len(curve))
            smooth = np.convolve(curve, np.full(width, 1 / width), "valid")
            label = agent if seed == rows[0]["seed"] else None
            axes.plot(np.arange(len(smooth)) + width, smooth, color=f"C{number}", linewidth=1, label=label)
    axes.set(xlabel="episodes", ylabel="return of an episode")
    axes.legend()
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=150)
    plt.close(figure)


def main() -> None:
    """Run, print, write a table and a figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--data-seed", type=int, default=0)
    parser.add_argument("--agents", nargs="+", choices=AGENTS, default=["ppo"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--episodes", type=int, default=480)
    parser.add_argument("--episode-length", type=int, default=32)
    parser.add_argument("--inter-weight", type=float, default=1.0, help="of an episode's mean inter-reward")
    parser.add_argument("--out", type=Path, default=Path("rates"), help="writes OUT.csv and OUT.png")
    arguments = parser.parse_args()
    controls = control_returns(**options(arguments))
    print(described(controls), flush=True)
    rows = list(runs(arguments, Setting(arguments.data, arguments.data_seed)))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    fields = ["agent", "seed", "episode", "return", "segment_visual", "rule_segment_visual"]
    with (
        atomic_path(arguments.out.with_suffix(".csv")) as temporary,
        open(temporary, "w", newline="") as file,
    ):
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
    draw(rows, controls, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
