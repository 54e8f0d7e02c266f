"""Training of two parsers side by side, which tell each other which labels to learn from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rlld_agents.baselines.base import EPOCH_SELECTION, Context, Denoised, to_numpy
from rlld_agents.baselines.parts.small_loss import SmallLoss, epochs_of, forget_factor, removal_scores
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.randomness import draws_own, own_generator, seeded_random_state
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import (
    feature_sizes,
    has_dense_labels,
    make_optimizer,
    make_task_network,
    set_learning_rate,
    step_clipped,
    step_learning_rate,
)


class Entries(NamedTuple):
    """What one network says of the B videos of a batch; audio then visual.

    Attributes:
        probability: (B, 2, C) float in [clamp, 1 - clamp], pooled over time, with its graph.
        loss: (B, 2, C) float, cross-entropy of the probability and its target, with its graph.
        video_loss: scalar, mean cross-entropy of the video's probability.
    """

    probability: Tensor
    loss: Tensor
    video_loss: Tensor


class Selection(NamedTuple):
    """What a method makes of a batch.

    Attributes:
        loss: scalar, of both networks together.
        shares: (V, B, 2, C) float64, what ``large_loss_share`` says of the labels in V votes.
    """

    loss: Tensor
    shares: Tensor


Select = Callable[[Entries, Entries, Tensor, Tensor, int], Selection]
"""From both networks' entries, the labels (B, 2, C) bool, the rates (2, C) of this epoch and the epoch (from 1)."""


@dataclass(frozen=True, eq=False)
class TrainedPeers:
    """Two parsers that were trained together.

    Attributes:
        network: the first one with the weights of its best epoch, in evaluation mode.
        best_epoch: that epoch, counted from 1.
        history: as ``TrainedParser`` has it, of the first network; the loss is that of both.
        shares: (V, N, 2, C) float64, the votes of the last epochs.
    """

    network: TaskNetwork
    best_epoch: int
    history: list[dict[str, float]]
    shares: Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the entries that the mask selects, per modality, (2,); 0 where it selects none."""
    chosen = mask.to(values.dtype)
    return (values * chosen).sum((0, 2)) / chosen.sum((0, 2)).clamp(min=1)


def weighted_loss(video: Tensor, modalities: Tensor, recipe: Recipe) -> Tensor:
    """Return the sum of the video term and the two modalities' terms (2,) with the recipe's weights."""
    weights = recipe.loss_weights
    return weights.video * video + weights.audio * modalities[0] + weights.visual * modalities[1]


def denoise_by_peers(context: Context, options: SmallLoss, recipe: Recipe, select: Select) -> Denoised:
    """Train two parsers and remove the labels that most of the last epochs' selections forget.

    Args:
        context: as every method gets it.
        options: rates and votes.
        recipe: of both parsers.
        select: the method.

    Returns:
        The labels; the first parser as the method's product; as scores ``removal_scores``.
    """
    rates = options.noise_rates(context)
    trained = train_peers(context, options, recipe, rates, select)
    scores = removal_scores(trained.shares, rates)
    kept = (context.data["train"].labels > 0).unsqueeze(1) & (scores < 0.5)
    used = EPOCH_SELECTION
    if options.rates == "validation":
        used += ", and for the noise rate of every class and modality"
    return Denoised(
        audio=to_numpy(kept[:, 0]),
        visual=to_numpy(kept[:, 1]),
        removal_score=to_numpy(scores),
        network=trained.network,
        validation_labels=used,
        details={
            "noise_rates": {"audio": rates[0].tolist(), "visual": rates[1].tolist()},
            "votes": len(trained.shares),
            "best_epoch": trained.best_epoch,
            "validation": trained.history,
        },
    )


def train_peers(
    context: Context, options: SmallLoss, recipe: Recipe, rates: Tensor, select: Select
) -> TrainedPeers:
    """Train two parsers from different weights on the same batches; see ``train_parser`` for the rest.

    The first one starts from the weights that every parser with the context's seed starts from. Each has an
    Adam of its own, which is the same as one for both.
    """
    train, device = context.data["train"], context.data.device
    targets = training_targets(train.labels, train.labels, train.labels, recipe)
    networks = [_network(context, recipe, seed) for seed in (context.seed, _second_seed(context.seed))]
    optimizers = [make_optimizer(network, recipe) for network in networks]
    ramp, voting = epochs_of(options.ramp, recipe.epochs), epochs_of(options.votes, recipe.epochs)
    history: list[dict[str, float]] = []
    best_epoch, best_weights, votes = 0, {}, []
    with seeded_random_state(context.seed, device, own=draws_own(*networks)):
        for epoch in range(1, recipe.epochs + 1):
            total, rows, parts = torch.zeros((), device=device), [], []
            now = rates * forget_factor(epoch, ramp)
            order = torch.randperm(len(train), generator=own_generator(device), device=device)
            batches = torch.split(order, recipe.batch_size)
            for number, indices in enumerate(batches):
                for optimizer in optimizers:
                    set_learning_rate(optimizer, step_learning_rate(recipe, epoch, number, len(batches)))
                batch, wanted = train.batch(indices), targets.rows(indices)
                first, second = (entries_of(network(*batch), wanted, recipe) for network in networks)
                labels = (train.labels[indices] > 0).unsqueeze(1).expand_as(first.loss)
                selection = select(first, second, labels, now, epoch)
                for optimizer in optimizers:
                    optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(selection.loss)
                for optimizer in optimizers:
                    step_clipped(optimizer, recipe)
                total += selection.loss.detach() * len(indices)
                rows.append(indices)
                parts.append(selection.shares)
            if epoch > recipe.epochs - voting:
                votes.append(torch.cat(parts, dim=1)[:, torch.cat(rows).argsort()])
            scores = _scores(networks[0], context.data["val"], recipe)
            history.append({"epoch": epoch, "loss": float(total / len(train)), **scores})
            last = not scores or not best_epoch
            if last or scores[recipe.selection] >= history[best_epoch - 1][recipe.selection]:
                best_epoch = epoch
                best_weights = {name: weight.clone() for name, weight in networks[0].state_dict().items()}
            if context.progress is not None:
                context.progress(epoch, recipe.epochs)
    networks[0].load_state_dict(best_weights)
    return TrainedPeers(networks[0].eval(), best_epoch, history, torch.cat(votes))


def _scores(network: TaskNetwork, validation: SplitTensors, recipe: Recipe) -> dict[str, float]:
    """Return validation scores by name; none where there are no dense labels, and then the last epoch is kept."""
    return evaluate(network, validation, recipe.gate).as_dict() if has_dense_labels(validation) else {}


def entries_of(output: ParsingOutput, targets: Targets, recipe: Recipe) -> Entries:
    """Return probabilities and losses of a batch."""
    probability = torch.stack((output.audio, output.visual), dim=1).clamp(recipe.clamp, 1.0 - recipe.clamp)
    wanted = torch.stack((targets.audio, targets.visual), dim=1)
    loss = functional.binary_cross_entropy(probability, wanted, reduction="none")
    video = functional.binary_cross_entropy(
        output.video.clamp(recipe.clamp, 1.0 - recipe.clamp), targets.video
    )
    return Entries(probability, loss, video)


def _network(context: Context, recipe: Recipe, seed: int) -> TaskNetwork:
    sizes = feature_sizes(context.data["train"])
    network = make_task_network(
        recipe, **sizes, hidden_size=context.hidden_size, seed=seed, device=context.data.device
    )
    return network.train()


def _second_seed(seed: int) -> int:
    """Return the second network's seed: not a neighbour's, so that runs with other seeds share no weights."""
    return int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
