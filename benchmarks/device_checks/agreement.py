"""Does the device compute what the CPU computes?"""

import copy
from collections.abc import Iterator

import torch

from benchmarks.device_checks.row import Row, Scope, judged
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import Recipe, get_recipe
from rlld_gym.parsing.systems.published import SYSTEM_RECIPES
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import feature_sizes, make_optimizer, make_task_network, train_step

FORWARD_LIMIT = 1e-4
"""Largest difference of a probability: float32 with products in another order."""

TRAINING_LIMIT = 5e-3
"""Largest relative difference of the loss after the steps, which amplify rounding."""

BFLOAT16_LIMIT = 5e-2
"""Largest relative difference of the loss in bfloat16, which has 8 bits."""

STEPS = 10


def of_networks(scope: Scope) -> Iterator[Row]:
    """Compare what every network says of the same videos with the same weights."""
    here, there = (shared_tensors("twin-tiny", device)["train"] for device in ("cpu", scope.device))
    rows = torch.arange(64)
    for recipe in (get_recipe("compact"), *SYSTEM_RECIPES):
        network = network_of(recipe, here).eval()
        with torch.no_grad():
            own = network(*here.batch(rows))
            other = copy.deepcopy(network).to(scope.device)(*there.batch(rows.to(scope.device)))
        found = float((own.segment - other.segment.cpu()).abs().max())
        yield judged(f"{recipe.name}: probabilities as on the CPU", found, FORWARD_LIMIT)


def of_training(scope: Scope) -> Iterator[Row]:
    """Compare losses of some steps; without dropout, whose masks differ between devices."""
    for name in ("compact", "rlld", "rlld+cl"):
        recipe = get_recipe(name)
        own, other = (losses_on(device, recipe) for device in ("cpu", scope.device))
        found = max(abs(a - b) / abs(a) for a, b in zip(own, other, strict=True))
        yield judged(f"{name}: losses of {STEPS} steps without dropout", found, TRAINING_LIMIT)


def of_bfloat16(scope: Scope) -> Iterator[Row]:
    """Compare losses in bfloat16 with those in float32 on the device."""
    recipe = get_recipe("rlld")
    own = losses_on(scope.device, recipe)
    other = losses_on(scope.device, recipe.replace(precision="bfloat16"))
    found = max(abs(a - b) / abs(a) for a, b in zip(own, other, strict=True))
    yield judged(f"rlld+bf16: losses of {STEPS} steps", found, BFLOAT16_LIMIT)


def network_of(recipe: Recipe, split: SplitTensors) -> TaskNetwork:
    """Return a small network on the CPU."""
    return make_task_network(recipe, **feature_sizes(split), hidden_size=32, seed=0)


def losses_on(device: str, recipe: Recipe) -> list[float]:
    """Return the losses of some training steps from the same weights, without dropout."""
    split = shared_tensors("twin-tiny", device)["train"]
    network = network_of(recipe, shared_tensors("twin-tiny", "cpu")["train"]).to(device).train()
    for module in network.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, float) and (name == "p" or "dropout" in name):
                setattr(module, name, 0.0)
    optimizer = make_optimizer(network, recipe)
    targets = training_targets(split.labels, split.labels, split.labels, recipe)
    losses = []
    for step in range(STEPS):
        rows = torch.arange(64, device=device) + 64 * step
        losses.append(train_step(network, optimizer, split.batch(rows), targets.rows(rows), recipe))
    return [float(loss) for loss in losses]
