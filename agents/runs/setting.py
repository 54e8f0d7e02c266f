"""What networks are trained on, and how: data set, recipe, width and device, decided in one place."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch

from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.tensors import StoreTensors
from rlld_gym.devices import choose_device
from rlld_gym.errors import InputError
from rlld_gym.options import or_none, require_width
from rlld_gym.parsing.fitting import for_segments
from rlld_gym.parsing.networks import find_network
from rlld_gym.parsing.objectives import make_objective
from rlld_gym.parsing.recipes import Recipe, default_recipe, get_recipe
from rlld_gym.parsing.training import try_own_network


class Setting:
    """What the networks of a run have in common.

    It is made at once and opens nothing; what is asked for is opened then and kept. It pickles as its arguments, so
    that another process opens the same data and comes to the same decisions.

    Args:
        data: name or path of the data set.
        data_seed: of a twin; no effect on a file.
        recipe: how to train, or the name or the file of a recipe; None: that of the task network, or else what the
            data set recommends.
        task_network: the network to train instead of the recipe's, with its own objective; None: the recipe's.
        hidden_size: width of the networks; None: what the data set recommends.
        epochs: of a parser, the recipe's schedule shrunk to fit; None: the recipe's own.
        changes: fields of the recipe that parsers have otherwise; the environment's task network does not.
        device: cpu, cuda, cuda:1, ...; auto takes the first GPU there is.

    Attributes:
        data: name or path of the data set.
        data_seed: of a twin.
    """

    def __init__(
        self,
        data: str,
        data_seed: int = 0,
        *,
        recipe: str | Recipe | None = None,
        task_network: str | None = None,
        hidden_size: int | None = None,
        epochs: int | None = None,
        changes: Mapping[str, Any] | None = None,
        device: str = "auto",
    ) -> None:
        self.data = data
        self.data_seed = data_seed
        self._given_recipe = recipe
        self._task_network = task_network
        self._given_hidden_size = hidden_size
        self._epochs = epochs
        self._changes = dict(changes or {})
        self._device_name = device

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickles: nothing that was opened."""
        opened = ("device", "store", "recipe")
        return {name: value for name, value in self.__dict__.items() if name not in opened}

    def check(self) -> None:
        """Raise InputError where device, data set or recipe cannot be used, or not together; reads the data set."""
        or_none(require_width)("--hidden-size", self._given_hidden_size)
        _ = self.device, self.recipe
        if not self.store.split("train").labels.any():
            raise InputError(
                f"--data {self.data}: no training video of {self.store.name} has a label: there is nothing to "
                "learn from and nothing to remove; check how the data set was made"
            )
        try_own_network(self.recipe, self.tensors["train"], self.hidden_size)
        objective = make_objective(self.recipe)
        if objective.needs_teachers:
            objective.check(self.tensors["train"])

    @cached_property
    def device(self) -> torch.device:
        """Where to train.

        Raises:
            InputError: for a device that torch does not know or that this machine lacks.
        """
        return choose_device(self._device_name)

    @cached_property
    def store(self) -> FeatureStore:
        """The data set.

        Raises:
            InputError: neither a twin's name nor a usable store file.
        """
        return open_data(self.data, self.data_seed)

    @cached_property
    def recipe(self) -> Recipe:
        """How parsers are trained.

        Raises:
            InputError: no recipe or no task network has that name.
        """
        recipe = self.whole_recipe
        if self._task_network is not None:
            recipe = recipe.with_network(self._task_network)
        find_network(recipe.network)
        recipe = for_segments(recipe, self.store.num_segments)
        recipe = recipe if self._epochs is None else recipe.shortened(self._epochs)
        return recipe.replace(**self._changes) if self._changes else recipe

    @property
    def whole_recipe(self) -> Recipe:
        """The recipe before it was given another network or length."""
        return self._given_recipe if isinstance(self._given_recipe, Recipe) else get_recipe(self.recipe_name)

    @property
    def undertrained(self) -> str:
        """What must be said beside scores of parsers with less than half of their epochs; else empty."""
        whole = self.whole_recipe
        if 2 * self.recipe.epochs >= whole.epochs:
            return ""
        return (
            f"Parsers are undertrained, {self.recipe.epochs} of {whole.epochs} epochs: a check that all works, "
            "whose scores say nothing about the rows"
        )

    @property
    def hidden_size(self) -> int:
        """Width of the networks."""
        return self._given_hidden_size or self.store.header.recommended.hidden_size

    @property
    def train_videos(self) -> int:
        """How many training videos there are."""
        return len(self.store.split("train"))

    @property
    def dense_videos(self) -> int:
        """How many validation videos have dense labels."""
        split = self.store.split("val")
        return 0 if split.dense_audio is None else len(split)

    @property
    def tensors(self) -> StoreTensors:
        """The data set's splits on the device, one copy per process; read-only."""
        return shared_tensors(self.data, str(self.device), self.data_seed)

    def environment_arguments(self) -> dict[str, Any]:
        """Return the arguments of the environment on these data; parsers may be shorter than its task network."""
        return {
            "data": self.data,
            "data_seed": self.data_seed,
            "recipe": self.recipe_name,
            **({} if self._task_network is None else {"task_network": self._task_network}),
            "hidden_size": self.hidden_size,
            "device": str(self.device),
        }

    @property
    def recipe_name(self) -> str:
        """Name or file of the recipe, before it was given another network or length."""
        given = self._given_recipe
        if isinstance(given, Recipe):
            return given.name
        return given or default_recipe(self._task_network, self.store.header.recommended.recipe)
