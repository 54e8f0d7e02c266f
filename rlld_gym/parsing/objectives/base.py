"""What every training objective offers, and the registry that finds one by name.

An objective is the loss of one training step. It owns the forward pass, because systems differ in what they need of
it: pooled probabilities, logits of segments, sequences for a contrastive term, a second pass. ``train_parser`` and
the environment's task network use the same objects.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipe import Recipe
from rlld_gym.plugins import from_home

Batch = tuple[Tensor, Tensor, Tensor]
"""Audio (B, T, Da), visual 2D (B, T, D2) and visual 3D (B, T, D3) features, float32."""

POOLED = "pooled"
"""The objective of networks that have none of their own."""


class StepContext(NamedTuple):
    """Where in a training a step stands, and what is known of its videos besides features and labels.

    Attributes:
        epoch: passes over the training videos, counted from 1; the one that the step belongs to.
        number: of the batch in its epoch, from 0.
        steps: batches of an epoch.
        videos: (B,) int64, rows of the training split, for objectives that remember videos; None: unknown.
        teachers: what segment-level teachers say, audio and visual, (B, T, C) float in [0, 1] each; None: nothing.
    """

    epoch: int = 1
    number: int = 0
    steps: int = 1
    videos: Tensor | None = None
    teachers: tuple[Tensor, Tensor] | None = None


class Objective(ABC):
    """The loss of a training step. One object serves one training, so it may remember what it has seen.

    Random numbers come from torch's global generator, which every training lends out seeded, as dropout's do.

    Args:
        recipe: loss weights, clamp, precision and contrastive loss; further arguments of a subclass's constructor
            are its options, which a recipe gives in ``objective_options``.

    Attributes:
        stackable: whether `loss` may run under ``torch.func.vmap`` for many networks at once: it then depends on
            the batch and the targets alone, and on no value that decides a branch.
        reads_teachers: whether `loss` looks at the context's teachers.
        needs_teachers: whether a training without teachers is refused.
    """

    stackable: ClassVar[bool] = False
    reads_teachers: ClassVar[bool] = False
    needs_teachers: bool = False

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    @abstractmethod
    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch, scalar, with its graph.

        Args:
            network: in training mode.
            batch: features of B videos, on the network's device.
            targets: (B, C) each, smoothed as the recipe says.
            context: where in the training the step stands.
        """

    def check(self, train: SplitTensors) -> None:
        """Raise InputError where it needs segment-level teachers and the training videos have none."""
        if self.needs_teachers and train.teacher_audio is None:
            raise InputError(
                f"recipe {self.recipe.name!r}: objective {objective_name(self.recipe)!r} needs segment-level "
                "teachers of the training videos, and the data set has none: import it with --teacher, or choose "
                "another --system or --recipe"
            )

    def context(
        self, train: SplitTensors, epoch: int, number: int, steps: int, videos: Tensor | None
    ) -> StepContext:
        """Return where a step stands, with what teachers say of its videos if the objective asks.

        Args:
            train: the training videos.
            epoch: counted from 1.
            number: of the batch in its epoch, from 0.
            steps: batches of an epoch.
            videos: (B,) int64, rows of ``train``; None: unknown.
        """
        teachers = None if videos is None or not self.reads_teachers else train.teachers(videos)
        return StepContext(epoch, number, steps, videos, teachers)

    def get_state(self) -> dict[str, Any]:
        """Return what the objective remembers, as tensors and plain values; empty where it remembers nothing."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a state that `get_state` returned."""
        if state:
            raise InputError(f"{type(self).__name__} remembers nothing, but the state has {', '.join(state)}")


_HERE: Final = "rlld_gym.parsing.objectives"

HOMES: Final[dict[str, str]] = {
    "cmpae": f"{_HERE}.cmpae:CMPAEObjective",
    "cpsp": f"{_HERE}.cpsp:CPSPObjective",
    "cvcms": f"{_HERE}.cvcms:CVCMSObjective",
    "dhhn": f"{_HERE}.dhhn:DHHNObjective",
    "lsld": f"{_HERE}.lsld:LSLDObjective",
    "mgn": f"{_HERE}.mgn:MGNObjective",
    "mm_cse": f"{_HERE}.mm_cse:MMCSEObjective",
    "poisson_binomial": f"{_HERE}.poisson_binomial:PoissonBinomialObjective",
    "pooled": f"{_HERE}.pooled:PooledObjective",
    "segment_pseudo_labels": f"{_HERE}.segment_pseudo_labels:SegmentPseudoLabelObjective",
    "valor": f"{_HERE}.valor:VALORObjective",
}
"""This package's own objectives: "module:Class", imported when one is asked for."""

_REGISTRY: dict[str, Callable[..., Objective]] = {}
_OWN: dict[str, str] = {
    "cmpae": "cmpae",
    "cpsp": "cpsp",
    "cvcms": "cvcms",
    "dhhn": "dhhn",
    "lsld": "lsld",
    "mgn": "mgn",
    "mm_cse": "mm_cse",
    "valor": "valor",
    "valor_plus": "valor",
    "valor_plus_plus": "valor",
}
"""Networks that have an objective of their own."""

Factory = TypeVar("Factory", bound=Callable[..., Objective])
Kind = TypeVar("Kind", bound=TaskNetwork)


def register_objective(name: str, networks: Sequence[str] = ()) -> Callable[[Factory], Factory]:
    """Make an objective available to ``make_objective`` under ``name`` (class decorator).

    Args:
        name: the name that recipes use.
        networks: registered networks whose own objective it is: recipes that name none train them with it.

    Returns:
        A decorator that returns what it decorates.

    Raises:
        ValueError: the name is taken, or a network has another objective of its own.
    """

    def register(factory: Factory) -> Factory:
        if name in HOMES or _REGISTRY.setdefault(name, factory) is not factory:
            raise ValueError(f"an objective named {name!r} is already registered")
        for network in networks:
            if _OWN.setdefault(network, name) != name:
                raise ValueError(f"task network {network!r} already has the objective {_OWN[network]!r}")
        return factory

    return register


def objective_names() -> tuple[str, ...]:
    """Return the registered names, sorted."""
    return tuple(sorted({*HOMES, *_REGISTRY}))


def objective_name(recipe: Recipe) -> str:
    """Return the name of a recipe's objective: the one that it names, or else its network's own."""
    return recipe.objective or _OWN.get(recipe.network, POOLED)


def make_objective(recipe: Recipe) -> Objective:
    """Build a recipe's objective, with the recipe's options for it.

    Raises:
        InputError: no objective has that name, or it does not have such an option.
    """
    name = objective_name(recipe)
    if name not in objective_names():
        known = ", ".join(objective_names())
        raise InputError(f"recipe {recipe.name!r}: unknown objective {name!r}: expected one of {known}")
    factory: Callable[..., Objective] = from_home(HOMES[name]) if name in HOMES else _REGISTRY[name]
    try:
        return factory(recipe, **recipe.objective_options)
    except TypeError as error:
        raise InputError(
            f"recipe {recipe.name!r}: objective {name!r} refuses its options: {error}"
        ) from error


def encoded(network: TaskNetwork, batch: Batch, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Return the audio and the visual sequence, (B, T, D) in the features' dtype, in the recipe's precision."""
    # The encoder has nearly all products. Probabilities stay exact: few of bfloat16's are near 1.
    with torch.autocast(batch[0].device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        audio_sequence, visual_sequence = network.encode(*batch)
    return audio_sequence.to(batch[0].dtype), visual_sequence.to(batch[0].dtype)


def require_network(objective: Objective, network: TaskNetwork, kind: type[Kind]) -> Kind:
    """Return the network; raise InputError where it is another kind than the one that the objective is about."""
    if not isinstance(network, kind):
        raise InputError(
            f"{type(objective).__name__} trains a {kind.__name__}, found a {type(network).__name__}: "
            f"name another objective in recipe {objective.recipe.name!r}, or its network"
        )
    return network
