"""Training a task network on given labels of the training videos."""

from collections.abc import Callable
from typing import Any, Final, Literal, TypedDict, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.parsing.epochs import EpochRecord, TrainedParser
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork, make_network
from rlld_gym.parsing.networks.own import check_own_network, is_own
from rlld_gym.parsing.objectives import Batch, Objective, StepContext, make_objective
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.randomness import draws_own, own_generator, seeded_random_state, seeded_weights
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.targets import (
    Labels,
    checked_labels,
    label_targets,
)
from rlld_gym.profiling import timed_part
from rlld_gym.torch_settings import own_torch_settings

FIRST_STEP: Final = StepContext()

TargetRevision = Callable[[TaskNetwork, Batch, Targets, int, int], Targets]
"""From the network in training mode, a batch, its targets, the epoch (from 1) and the number of the batch in
its epoch (from 0) to the targets to train towards, (B, C) each."""


Relabelling = Callable[[TaskNetwork, int], tuple[Labels, Labels] | None]
"""From the network and the epoch that is about to begin (from 1) to the audio and visual labels, (N, C) each, to
train towards from then on; None: go on with those before. It leaves the network in the mode it was in."""


class FeatureSizes(TypedDict):
    """What a network must know of the data."""

    audio_size: int
    visual_2d_size: int
    visual_3d_size: int
    num_classes: int


def feature_sizes(split: SplitTensors) -> FeatureSizes:
    """Return what a network must know of the data, as keyword arguments of ``make_task_network``."""
    return {
        "audio_size": split.audio.shape[-1],
        "visual_2d_size": split.visual_2d_size,
        "visual_3d_size": split.visual.shape[-1] - split.visual_2d_size,
        "num_classes": split.labels.shape[-1],
    }


def make_task_network(
    recipe: Recipe,
    *,
    audio_size: int,
    visual_2d_size: int,
    visual_3d_size: int,
    num_classes: int,
    hidden_size: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> TaskNetwork:
    """Build a recipe's network with weights that depend on ``seed`` alone, not on device or global state.

    Raises:
        InputError: no network is registered under the recipe's name for it.
    """
    with seeded_weights(seed):
        network = make_network(
            recipe.network,
            audio_size=audio_size,
            visual_2d_size=visual_2d_size,
            visual_3d_size=visual_3d_size,
            num_classes=num_classes,
            hidden_size=hidden_size,
            **network_options(recipe),
        )
    return network.to(device)


def try_own_network(recipe: Recipe, split: SplitTensors, hidden_size: int) -> None:
    """Try a recipe's network on some videos where it is code from outside (`check_own_network`).

    Raises:
        InputError: it does not return what a task network promises.
    """
    if is_own(recipe.network):
        sizes, device = feature_sizes(split), split.labels.device
        network = make_task_network(recipe, **sizes, hidden_size=hidden_size, seed=0, device=device)
        check_own_network(recipe.network, network, split)


def network_options(recipe: Recipe) -> dict[str, Any]:
    """Return the arguments besides sizes that a recipe gives its network's constructor, JSON-able."""
    # The flavour is HAN's own; other registered networks need only take the sizes.
    flavour = {"flavour": recipe.flavour} if recipe.network == "han" else {}
    return flavour | dict(recipe.network_options)


def make_optimizer(network: TaskNetwork, recipe: Recipe) -> torch.optim.Adam:
    """Return Adam at the recipe's highest learning rate; set others with ``set_learning_rate``.

    Parts of a network that learn at another rate (see ``TaskNetwork.learning_rate_factors``) are groups of their
    own, each with its factor under "factor".
    """
    factors = network.learning_rate_factors()
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        part = next((part for part in factors if name.startswith(f"{part}.")), None)
        groups.setdefault(1.0 if part is None else factors[part], []).append(parameter)
    optimizer_class = torch.optim.AdamW if recipe.optimizer == "adamw" else torch.optim.Adam
    return optimizer_class(
        [
            {"params": members, "lr": factor * recipe.learning_rate, "factor": factor}
            for factor, members in groups.items()
        ],
        betas=(recipe.first_moment_decay, recipe.second_moment_decay),
        weight_decay=recipe.weight_decay,
        fused=True,
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Set the rate of all parameter groups, times the factor of each."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("factor", 1.0)


def step_learning_rate(recipe: Recipe, epoch: int, number: int, steps: int) -> float:
    """Return the recipe's rate in the middle of a step: ``number`` of ``steps`` from 0, in an epoch from 1."""
    return recipe.learning_rate_at(epoch - 1 + (number + 0.5) / steps)


def averaged(network: TaskNetwork, recipe: Recipe) -> AveragedModel | None:
    """Return a moving average of a network's weights as the recipe wants it, None where it wants none."""
    if not recipe.averaging:
        return None
    forget = get_ema_multi_avg_fn(recipe.averaging)  # type: ignore[no-untyped-call]
    return AveragedModel(network, multi_avg_fn=forget)


def task_loss(
    network: TaskNetwork,
    batch: Batch,
    targets: Targets,
    recipe: Recipe,
    *,
    objective: Objective | None = None,
    context: StepContext = FIRST_STEP,
) -> Tensor:
    """Return the recipe's loss of a batch, scalar, with its graph.

    Args:
        network: in training mode.
        batch: features, on the network's device.
        targets: (B, C) each, on the same device.
        recipe: names the objective.
        objective: of the training that the step belongs to, see ``make_objective``; None makes one for this step.
        context: where in the training the step stands.
    """
    return (objective or make_objective(recipe)).loss(network, batch, targets, context)


def train_step(
    network: TaskNetwork,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    targets: Targets,
    recipe: Recipe,
    *,
    objective: Objective | None = None,
    context: StepContext = FIRST_STEP,
) -> Tensor:
    """Take one optimiser step in the network's current mode; nothing waits for the device.

    Args:
        network: in training mode.
        optimizer: of the network's parameters (see ``make_optimizer``).
        batch: features, on the network's device (see ``SplitTensors.batch``).
        targets: (B, C) each, on the same device.
        recipe: names the objective and the largest norm of the gradient.
        objective: of the training that the step belongs to; None makes one for this step.
        context: where in the training the step stands.

    Returns:
        The loss before the step: a detached scalar on the device.
    """
    optimizer.zero_grad(set_to_none=True)
    loss = task_loss(network, batch, targets, recipe, objective=objective, context=context)
    torch.autograd.backward(loss)
    step_clipped(optimizer, recipe)
    return loss.detach()


def step_clipped(optimizer: torch.optim.Optimizer, recipe: Recipe) -> None:
    """Scale the gradients down to the recipe's largest norm, if it names one, and take the step."""
    if recipe.gradient_clip is not None:
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_norm_(parameters, recipe.gradient_clip)
    optimizer.step()


@own_torch_settings()
def train_parser(
    data: StoreTensors,
    audio_labels: Labels,
    visual_labels: Labels,
    recipe: Recipe,
    *,
    hidden_size: int,
    seed: int,
    video_labels: Labels | None = None,
    network: TaskNetwork | None = None,
    revise_targets: TargetRevision | None = None,
    relabel: Relabelling | None = None,
    keep: Literal["best", "last"] = "best",
    watch: Callable[[TaskNetwork], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedParser:
    """Train a task network on the training videos with the given labels; keep its best epoch.

    The result depends on the arguments only; global random states are neither used nor changed.

    Args:
        data: splits "train" and "val" on one device.
        audio_labels: (N, C) bool or float in [0, 1], for the N training videos in their order.
        visual_labels: likewise.
        recipe: how to train. Targets follow from ``training_targets``, with the training videos' weak
            labels as the original ones.
        hidden_size: width of the network.
        seed: of the initial weights, the order of videos and the dropout masks.
        video_labels: (N, C), overrides the recipe's video target.
        network: trained in place, from the weights that it has; None builds the recipe's.
        revise_targets: called before every step, within the seeded random state and without a graph.
        relabel: called before every epoch, likewise: labels may follow from the network as it is.
        keep: "last" keeps the last epoch and never looks at the validation split. So does "best" where the
            validation videos have no dense labels to judge an epoch by.
        watch: called after every epoch with the network that is validated.
        progress: called with (epochs done, epochs in all) after every epoch.

    Returns:
        The network with the weights of the epoch that is best on validation by the recipe's selection score
        (ties: the later epoch), and the history.

    Raises:
        ValueError: labels of another shape or outside [0, 1].
        InputError: the features do not fit the network, or the objective needs teachers that are not there.
    """
    train, validation = data["train"], data["val"]
    keep = keep if has_dense_labels(validation) else "last"
    objective = make_objective(recipe)
    objective.check(train)
    targets = label_targets(train, audio_labels, visual_labels, recipe)
    if video_labels is not None:
        targets = targets._replace(video=checked_labels("video_labels", video_labels, train))
    if network is None:
        network = make_task_network(
            recipe,
            **feature_sizes(train),
            hidden_size=hidden_size,
            seed=seed,
            device=data.device,
        )
    sizes = feature_sizes(train)
    network.require_features(sizes["audio_size"], sizes["visual_2d_size"], sizes["visual_3d_size"])
    optimizer = make_optimizer(network, recipe)
    average = averaged(network, recipe)
    judged = network if average is None else cast(TaskNetwork, average.module)
    record = EpochRecord(recipe.selection)
    own = draws_own(network, objective, revise_targets, relabel)
    with seeded_random_state(seed, data.device, own=own):
        for epoch in range(1, recipe.epochs + 1):
            if relabel is not None:
                with torch.no_grad():
                    labels = relabel(network, epoch)
                targets = targets if labels is None else label_targets(train, *labels, recipe)
            loss = _train_epoch(
                network,
                optimizer,
                train,
                targets,
                objective,
                epoch=epoch,
                average=average,
                revise_targets=revise_targets,
            )
            scores = {}
            if keep == "best":
                scores = evaluate(judged, validation, recipe.gate, thresholds=recipe.thresholds).as_dict()
            record.add(float(loss), scores, judged)
            if watch is not None:
                watch(judged)
            if progress is not None:
                progress(epoch, recipe.epochs)
    return record.parser(network)


@timed_part("task training")
def _train_epoch(
    network: TaskNetwork,
    optimizer: torch.optim.Optimizer,
    train: SplitTensors,
    targets: Targets,
    objective: Objective,
    *,
    epoch: int,
    average: AveragedModel | None,
    revise_targets: TargetRevision | None,
) -> Tensor:
    """Pass once over the shuffled training videos; return the mean loss, on the device."""
    network.train()
    recipe = objective.recipe
    total = torch.zeros((), device=train.labels.device)
    device = train.labels.device
    order = torch.randperm(len(train), generator=own_generator(device), device=device)
    steps = -(-len(train) // recipe.batch_size)
    for number, indices in enumerate(torch.split(order, recipe.batch_size)):
        set_learning_rate(optimizer, step_learning_rate(recipe, epoch, number, steps))
        batch, wanted = train.batch(indices), targets.rows(indices)
        if revise_targets is not None:
            with torch.no_grad():
                wanted = revise_targets(network, batch, wanted, epoch, number)
        context = objective.context(train, epoch, number, steps, indices)
        loss = train_step(network, optimizer, batch, wanted, recipe, objective=objective, context=context)
        total += loss * len(indices)
        if average is not None:
            average.update_parameters(network)
    return total / len(train)


def has_dense_labels(split: SplitTensors) -> bool:
    """Return whether a split can be scored."""
    return split.dense_audio is not None and split.dense_visual is not None
