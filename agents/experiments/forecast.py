"""How long a run will take, from a training step and a validation pass that are timed; and what would be faster."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.imitation.joint import JointConfig, epochs_of_rounds
from rlld_agents.runs.setting import Setting
from rlld_gym.data.store.recommended import faster_on_cpu
from rlld_gym.parsing.objectives import make_objective
from rlld_gym.parsing.prediction import predict
from rlld_gym.parsing.randomness import seeded_random_state
from rlld_gym.parsing.targets import label_targets
from rlld_gym.parsing.training import feature_sizes, make_optimizer, make_task_network, train_step


@dataclass(frozen=True)
class Speed:
    """Seconds of the parts of training on a setting's device, in this process.

    Attributes:
        step: of a training step of a parser on a whole batch.
        validation: of parsing all validation videos.
    """

    step: float
    validation: float

    @classmethod
    def measured(cls, setting: Setting) -> "Speed":
        """Time a step and a pass on a network that is then thrown away; random states are left alone."""
        data, recipe = setting.tensors, setting.recipe
        train = data["train"]
        rows = torch.arange(min(recipe.batch_size, len(train)), device=data.device)
        network = make_task_network(
            recipe, **feature_sizes(train), hidden_size=setting.hidden_size, seed=0, device=data.device
        )
        optimizer, objective = make_optimizer(network, recipe), make_objective(recipe)
        targets = label_targets(train, train.labels, train.labels, recipe).rows(rows)

        def step() -> object:
            context = objective.context(train, 1, 0, 1, rows)
            return train_step(
                network, optimizer, train.batch(rows), targets, recipe, objective=objective, context=context
            )

        with seeded_random_state(0, data.device):
            step_seconds = _seconds(step, data.device)
        # Networks may change while they predict, such as by caches: never the one that is timed.
        judged = copy.deepcopy(network)
        validation = _seconds(lambda: predict(judged, data["val"], recipe.gate), data.device)
        return cls(step_seconds, validation)


def seconds_of(config: ExperimentConfig, setting: Setting, parsers: int, speed: Speed) -> float:
    """Return about how many seconds a run takes in one process, if nothing stops early.

    Args:
        config: of the run.
        setting: data, recipe, width and device.
        parsers: how many are trained and tested at the end.
        speed: what was measured.
    """
    recipe, train, val = setting.recipe, len(setting.tensors["train"]), len(setting.tensors["val"])
    epoch = -(-train // recipe.batch_size) * speed.step + speed.validation
    total = parsers * recipe.epochs * epoch
    if config.preset in ("imitation", "joint"):
        loop = JointConfig(rounds=config.rounds)
        policies = config.rounds * loop.warm_start.epochs(val)
        total += (epochs_of_rounds(recipe, loop, val) - policies) * epoch
        total += policies * -(-val // recipe.batch_size) * speed.step
    if config.preset != "imitation":
        steps = (
            config.environment.episode_length * speed.step * config.environment.batch_size / recipe.batch_size
        )
        total += config.agent.episodes * (steps + speed.validation)
    return total


def in_words(seconds: float) -> str:
    """Return a duration in words, such as "about 3 minutes"."""
    if seconds < 90:
        number = max(1, round(seconds))
        return f"about {number} second{'s' * (number > 1)}"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"


def in_less_time(setting: Setting) -> str | None:
    """Return options that take much less time on a CPU; None elsewhere, and where the network is narrow."""
    videos = setting.store.header.counts["train"]
    faster = faster_on_cpu(videos, setting.hidden_size) if setting.device.type == "cpu" else None
    if faster is None:
        return None
    return (
        f"faster on a CPU, for {videos} training videos: --recipe {faster.recipe} --hidden-size "
        f"{faster.hidden_size} (now {setting.recipe.name}, {setting.recipe.epochs} epochs, width "
        f"{setting.hidden_size})"
    )


def _seconds(act: Callable[[], object], device: torch.device) -> float:
    """Return the seconds of the second call; the first one warms up."""
    for _ in range(2):
        started = time.perf_counter()
        act()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.perf_counter() - started
