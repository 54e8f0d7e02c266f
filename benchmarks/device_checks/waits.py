"""Does anything in a training step wait for the device?"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium
import torch

from benchmarks.device_checks.row import Row, Scope
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.environment_ids import LABEL_DENOISING
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import feature_sizes, make_optimizer, make_task_network, train_step


def in_training(scope: Scope) -> Iterator[Row]:
    """Count synchronisations that torch notices in a bare step, and in one of the environment."""
    if scope.device == "cpu":
        yield Row("hidden synchronisations", "", "0 in a bare step", "not run: a CPU has none")
        return
    recipe = get_recipe("compact")
    split = shared_tensors("twin-tiny", scope.device)["train"]
    network = make_task_network(recipe, **feature_sizes(split), hidden_size=64, seed=0, device=scope.device)
    optimizer = make_optimizer(network, recipe)
    targets = training_targets(split.labels, split.labels, split.labels, recipe)
    rows = torch.arange(128, device=scope.device)
    train_step(network, optimizer, split.batch(rows), targets.rows(rows), recipe)
    with noticed() as seen:
        train_step(network, optimizer, split.batch(rows), targets.rows(rows), recipe)
    yield Row("synchronisations in a training step", str(len(seen)), "0", "FAILS" if seen else "ok")
    env = gymnasium.make(LABEL_DENOISING, data="twin-tiny", device=scope.device)
    _, info = env.reset(seed=0)
    action = env.action_space.sample(mask=info["action_mask"])
    env.step(action)
    with noticed() as seen:
        env.step(action)
    yield Row("synchronisations in env.step", str(len(seen)), "few: it returns NumPy", "measured")


@contextmanager
def noticed() -> Iterator[list[warnings.WarningMessage]]:
    """Let torch warn of each synchronisation, and give the warnings."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield seen
        finally:
            torch.cuda.set_sync_debug_mode("default")
