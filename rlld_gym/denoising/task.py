"""The task network inside the decision process: born, trained one step at a time, validated, stored."""

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlld_gym.data.tensors import StoreTensors
from rlld_gym.denoising.credit import CreditLoss, label_credit, normalised_credit, validation_gradient
from rlld_gym.denoising.labels import Revision
from rlld_gym.errors import InputError
from rlld_gym.parsing.contribution import class_contribution
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.metrics import parsing_scores
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives import Batch, Objective, StepContext, make_objective
from rlld_gym.parsing.prediction import predict
from rlld_gym.parsing.randomness import draws_own, seeded_random_state
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.targets import training_targets
from rlld_gym.parsing.training import (
    feature_sizes,
    make_optimizer,
    make_task_network,
    set_learning_rate,
    train_step,
)
from rlld_gym.profiling import timed_part


class Lesson(NamedTuple):
    """A training step of a task network.

    Attributes:
        features: audio (B, T, Da), visual 2D (B, T, D2) and 3D (B, T, D3), float32.
        targets: (B, C) each.
        seed: of the dropout masks.
        context: where in the training the step stands.
    """

    features: Batch
    targets: Targets
    seed: int
    context: StepContext = StepContext()


class Validation(NamedTuple):
    """How well a task network parses the validation videos.

    Attributes:
        scores: the ten F-scores in percent, by name.
        class_contribution: (2, C) float32 in percent, see `rlld_gym.parsing.contribution`, on the device.
    """

    scores: dict[str, float]
    class_contribution: Tensor


class TaskLearner:
    """A task network and its optimizer, trained online at the recipe's constant rate for that.

    Args:
        data: the data set on the device where the network is to be.
        recipe: network, loss and optimizer.
        hidden_size: width of the network.
        start: what every new task network is a copy of; None: its weights are drawn anew.

    Attributes:
        draws_own: training the network leaves torch's global random state alone on a CPU, see
            `rlld_gym.parsing.randomness.draws_own`.

    Raises:
        InputError: the validation split cannot be scored, or the objective needs teachers that are not there.
    """

    def __init__(
        self, data: StoreTensors, recipe: Recipe, hidden_size: int, start: TaskNetwork | None = None
    ) -> None:
        if data["val"].dense_audio is None:
            raise InputError(
                "the validation split has no dense labels; rewards need validation F-scores. The inter-reward "
                "alone compares labels with labels: it cannot tell right removals from wrong ones. "
                "'rlld denoise --with jomold' and others need no dense labels"
            )
        self.data = data
        self.recipe = recipe
        self.hidden_size = hidden_size
        self.start = start
        self.network: TaskNetwork | None = None
        self._optimizer: torch.optim.Optimizer | None = None
        self._objective: Objective = make_objective(recipe)
        self._objective.check(data["train"])
        self._videos_seen = 0
        self.draws_own = False

    @timed_part("task training")
    def renew(self, seed: int) -> None:
        """Start over: with a copy of the starting network, or with weights that depend on ``seed`` alone."""
        self._objective = make_objective(self.recipe)
        self._videos_seen = 0
        if self.start is not None:
            self.network = copy.deepcopy(self.start).train()
        else:
            self.network = make_task_network(
                self.recipe,
                **feature_sizes(self.data["train"]),
                hidden_size=self.hidden_size,
                seed=seed,
                device=self.data.device,
            )
        self.draws_own = draws_own(self.network, self._objective)
        self._optimizer = make_optimizer(self.network, self.recipe)
        set_learning_rate(self._optimizer, self.recipe.online_learning_rate or self.recipe.learning_rate)

    def lesson(
        self,
        features: Batch,
        revision: Revision,
        original: Tensor,
        seed: int,
        videos: Tensor | None = None,
    ) -> Lesson:
        """Return a training step on a batch, to be taken next (Eq. 7-8 of RLLD, arXiv 2412.19563).

        Args:
            features: audio (B, T, Da), visual 2D (B, T, D2) and 3D (B, T, D3), float32.
            revision: the labels to train towards.
            original: (B, C) float32 noisy labels of the data set.
            seed: of the dropout masks.
            videos: (B,) int64, rows of the training split; None: unknown.
        """
        targets = training_targets(revision.audio.float(), revision.visual.float(), original, self.recipe)
        context = self._context(len(original), videos)
        self._videos_seen += len(original)
        return Lesson(features, targets, seed, context)

    @timed_part("task training")
    def train(self, lesson: Lesson) -> Tensor:
        """Take one gradient step; return its loss, a detached scalar on the device."""
        network, optimizer = self.born()
        with seeded_random_state(lesson.seed, self.data.device, own=self.draws_own):
            return train_step(
                network,
                optimizer,
                lesson.features,
                lesson.targets,
                self.recipe,
                objective=self._objective,
                context=lesson.context,
            )

    def _context(self, batch_size: int, videos: Tensor | None) -> StepContext:
        """Return where the coming step stands; an epoch is as many videos as the training split has."""
        steps = max(1, len(self.data["train"]) // batch_size)
        epoch, within = divmod(self._videos_seen, len(self.data["train"]))
        return self._objective.context(self.data["train"], epoch + 1, within // batch_size, steps, videos)

    @property
    def stackable(self) -> bool:
        """Whether the network can be trained together with others of its kind, see `NetworkStack`."""
        return self._objective.stackable and self.born()[0].stackable

    def born(self) -> tuple[TaskNetwork, torch.optim.Optimizer]:
        """Return the network and its optimizer.

        Raises:
            RuntimeError: before the first `renew`.
        """
        if self.network is None or self._optimizer is None:
            raise RuntimeError("there is no task network yet: call renew() first")
        return self.network, self._optimizer

    def credit(self, features: Batch, present: Tensor, videos: Tensor | None, loss: CreditLoss) -> Tensor:
        """Return what each label of a batch does to the validation loss of the network as it is now.

        One backward pass over the validation videos and one forward-mode pass over the batch; nothing changes.

        Args:
            features: audio (B, T, Da), visual 2D (B, T, D2) and 3D (B, T, D3), float32.
            present: (B, 2, C) bool labels of the batch.
            videos: (V,) int64, rows of the validation split to compute the gradient from; None: all.
            loss: see `rlld_gym.denoising.credit.validation_loss`.

        Returns:
            (B, 2, C) float32, normalised, see `rlld_gym.denoising.credit.normalised_credit`; positive: harm.
        """
        network = self.born()[0]
        direction = validation_gradient(network, self.data["val"], videos, loss)
        return normalised_credit(label_credit(network, features, direction), present)

    def validate(self) -> Validation:
        """Parse the validation split and score it; one pass of the network."""
        split = self.data["val"]
        assert split.dense_audio is not None
        assert split.dense_visual is not None
        recipe = self.recipe
        predicted = predict(self.born()[0], split, recipe.gate, thresholds=recipe.thresholds)
        tracks = *predicted, split.dense_audio, split.dense_visual
        return Validation(parsing_scores(*tracks).as_dict(), class_contribution(*tracks).float())

    def get_state(self) -> dict[str, Any]:
        """Return copies, on the CPU, of the weights and of the optimizer's state."""
        network, optimizer = self.born()
        return {
            "network": _on_cpu(dict(network.state_dict())),
            "optimizer": _on_cpu(optimizer.state_dict()),
            "objective": _on_cpu(self._objective.get_state()),
            "videos_seen": self._videos_seen,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go back to a state that `get_state` returned, of a network of the same sizes."""
        self.renew(seed=0)
        network, optimizer = self.born()
        network.load_state_dict(state["network"])
        # Optimizer.load_state_dict would keep the given CPU tensors, which later steps write into.
        optimizer.load_state_dict(_on_cpu(state["optimizer"]))
        self._objective.set_state(state.get("objective", {}))
        self._videos_seen = state.get("videos_seen", 0)


def _on_cpu(value: Any) -> Any:
    """Return a copy of nested dictionaries and lists whose tensors are copies on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_on_cpu(item) for item in value]
    return value
