"""Training many task networks at once, each on its own labels and from its own seed."""

import copy
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.parsing.epochs import EpochRecord, TrainedParser
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives import make_objective
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.randomness import draws_own, seeded_random_state
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.stacked import NetworkStack, point_at
from rlld_gym.parsing.targets import Labels, label_targets
from rlld_gym.parsing.training import (
    feature_sizes,
    has_dense_labels,
    make_optimizer,
    make_task_network,
    set_learning_rate,
    step_learning_rate,
    train_parser,
)


def train_parsers(
    data: StoreTensors,
    audio_labels: Sequence[Labels],
    visual_labels: Sequence[Labels],
    recipe: Recipe,
    *,
    hidden_size: int,
    seeds: Sequence[int],
    keep: Literal["best", "last"] = "best",
    progress: Callable[[int, int], None] | None = None,
) -> list[TrainedParser]:
    """Train K task networks together; each is what ``train_parser`` makes of its labels and seed.

    Equal up to rounding, which training amplifies: the weights drift apart in the last digits, then more. On a GPU
    dropout masks differ, too: they are drawn for all networks at once, from the first seed. Networks and objectives
    that cannot be stacked are trained one by one.

    Args:
        data: splits "train" and "val" on one device; "val" with dense labels.
        audio_labels: K times (N, C) bool or float in [0, 1], for the N training videos in their order.
        visual_labels: likewise. For one label set and K seeds pass ``[labels] * K``.
        recipe: how to train.
        hidden_size: width of the networks.
        seeds: K, of initial weights, order of videos and dropout masks.
        keep: "last" keeps the last epoch and never looks at the validation split; so does "best" where that has no
            dense labels.
        progress: called with (epochs done, epochs in all) after every epoch.

    Returns:
        K networks, each of its own best epoch, and their histories, see ``train_parser``.

    Raises:
        ValueError: not K label sets, labels of another shape or outside [0, 1].
    """
    train, validation = data["train"], data["val"]
    keep = keep if has_dense_labels(validation) else "last"
    if not len(seeds) == len(audio_labels) == len(visual_labels) > 0:
        raise ValueError(
            f"found {len(seeds)} seeds, {len(audio_labels)} audio and {len(visual_labels)} visual label sets; "
            "expected as many of each, at least one"
        )
    networks = [
        make_task_network(
            recipe, **feature_sizes(train), hidden_size=hidden_size, seed=seed, device=data.device
        )
        for seed in seeds
    ]
    if not (make_objective(recipe).stackable and networks[0].stackable):
        return [
            train_parser(
                data,
                audio,
                visual,
                recipe,
                hidden_size=hidden_size,
                seed=seed,
                network=network,
                keep=keep,
                progress=progress,
            )
            for audio, visual, seed, network in zip(audio_labels, visual_labels, seeds, networks, strict=True)
        ]
    targets = _stacked_targets(train, audio_labels, visual_labels, recipe)
    average = _Average(networks, recipe.averaging) if recipe.averaging else None
    judged = networks if average is None else average.networks
    stack = NetworkStack(networks, [make_optimizer(network, recipe) for network in networks], recipe)
    generators = [torch.Generator(data.device).manual_seed(seed) for seed in seeds]
    records = [EpochRecord(recipe.selection) for _ in seeds]
    with seeded_random_state(seeds[0], data.device, own=draws_own(*networks)):
        for epoch in range(1, recipe.epochs + 1):
            losses = _train_epoch(stack, generators, train, targets, recipe, epoch=epoch, average=average)
            for record, network, loss in zip(records, judged, losses.tolist(), strict=True):
                scores = {}
                if keep == "best":
                    scores = evaluate(
                        network, validation, recipe.gate, thresholds=recipe.thresholds
                    ).as_dict()
                record.add(loss, scores, network)
            if progress is not None:
                progress(epoch, recipe.epochs)
    # Copies, because a network in the stack keeps the memory of all of them.
    return [record.parser(copy.deepcopy(network)) for record, network in zip(records, networks, strict=True)]


def _stacked_targets(
    train: SplitTensors, audio_labels: Sequence[Labels], visual_labels: Sequence[Labels], recipe: Recipe
) -> Targets:
    """Return each network's targets of all training videos, (K * N, C), one network after the other."""
    members = [
        label_targets(train, audio, visual, recipe)
        for audio, visual in zip(audio_labels, visual_labels, strict=True)
    ]
    return Targets(*(torch.cat(parts) for parts in zip(*members, strict=True)))


def _train_epoch(
    stack: NetworkStack,
    generators: Sequence[torch.Generator],
    train: SplitTensors,
    targets: Targets,
    recipe: Recipe,
    *,
    epoch: int,
    average: "_Average | None",
) -> Tensor:
    """Pass once over the training videos, in an order of each network's own; return mean losses (K,)."""
    count, members, device = len(train), len(generators), train.labels.device
    total = torch.zeros(members, device=device)
    orders = torch.stack(
        [torch.randperm(count, generator=generator, device=device) for generator in generators]
    )
    first_rows = count * torch.arange(members, device=device).unsqueeze(1)
    steps = -(-count // recipe.batch_size)
    for number, indices in enumerate(torch.split(orders, recipe.batch_size, dim=1)):
        set_learning_rate(stack.optimizer, step_learning_rate(recipe, epoch, number, steps))
        audio, visual_2d, visual_3d = (
            part.view(*indices.shape, *part.shape[1:]) for part in train.batch(indices.flatten())
        )
        rows = targets.rows((first_rows + indices).flatten())
        wanted = Targets(*(part.view(*indices.shape, *part.shape[1:]) for part in rows))
        total += stack.train_step((audio, visual_2d, visual_3d), wanted, generators) * indices.shape[1]
        if average is not None:
            average.update(stack.weights)
    return total / count


class _Average:
    """Moving average of the weights of K networks, as ``torch.optim.swa_utils.AveragedModel`` computes it.

    Attributes:
        networks: K networks with the averaged weights.
    """

    def __init__(self, networks: Sequence[TaskNetwork], forget: float) -> None:
        self.networks = [copy.deepcopy(network) for network in networks]
        self._forget = forget
        self._weights: Tensor | None = None

    def update(self, weights: Tensor) -> None:
        """Take up the weights (K, P) after a step; the first ones are the average."""
        if self._weights is None:
            self._weights = weights.clone()
            for network, row in zip(self.networks, self._weights, strict=True):
                point_at(network, row)
        else:
            self._weights.lerp_(weights, 1 - self._forget)
