"""What every label denoiser of the benchmark takes and returns."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import SPEECH_NAME
from rlld_gym.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rlld_agents.runs.setting import Setting
    from rlld_gym.data.tensors import StoreTensors
    from rlld_gym.parsing.networks import TaskNetwork
    from rlld_gym.parsing.recipes import Recipe

NO_VALIDATION_LABELS = "none"
"""What a method says that has not looked at the validation split."""

LAST_EPOCH = "none: parser of the last epoch"
"""What tables say of every row where the validation videos have no dense labels."""

EPOCH_SELECTION = "dense, to choose the epoch of the parser"
"""What a method says that used validation labels only as every parser's training does."""


@dataclass(frozen=True, eq=False)
class Denoised:
    """Training labels after a method's removals, N videos in the order of the data, C classes.

    Attributes:
        audio: (N, C) bool, the audio labels that are left; never more than the weak ones.
        visual: (N, C) bool, likewise.
        removal_score: (N, 2, C) float32, finite; higher = more likely noise, 0 where there is no label. None: the
            method has no score.
        network: a trained parser in evaluation mode, where that is the method's product: to be tested as it
            is. None: train one on the labels.
        validation_labels: "none", or which labels of the validation split were used and how, for tables.
        details: what else is worth keeping of the run; JSON-able.
        curve: of a method that learns by acting, what it reports of each episode: "steps" so far, "return",
            "removed_per_step" and validation scores, as far as they are known.
    """

    audio: NDArray[np.bool_]
    visual: NDArray[np.bool_]
    removal_score: NDArray[np.float32] | None = None
    network: "TaskNetwork | None" = None
    validation_labels: str = NO_VALIDATION_LABELS
    details: dict[str, Any] = field(default_factory=dict)
    curve: tuple[dict[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Context:
    """What every method gets.

    Attributes:
        data: the splits "train", "val" and "test" on one device; read-only.
        recipe: how parsers of this benchmark are trained.
        hidden_size: their width.
        seed: of everything random in the method.
        classes: the C class names.
        progress: called with (epochs done, epochs in all) after every epoch of a network.
        source: name or path and twin seed of the data set, for methods that make the environment on it.
        recipe_name: name or file of the recipe, for these methods; None: ``recipe`` is one of this package.
        never_visible: the class that is heard and hardly ever seen; it may be none of the classes.
    """

    data: "StoreTensors"
    recipe: "Recipe"
    hidden_size: int
    seed: int
    classes: tuple[str, ...]
    progress: Callable[[int, int], None] | None = None
    source: tuple[str, int] | None = None
    recipe_name: str | None = None
    never_visible: str | None = SPEECH_NAME

    @property
    def never_visible_index(self) -> int | None:
        """Index of the class that is heard and hardly ever seen; None: there is none."""
        named = self.never_visible
        return self.classes.index(named) if named in self.classes else None

    @classmethod
    def of(
        cls, setting: "Setting", seed: int, progress: Callable[[int, int], None] | None = None
    ) -> "Context":
        """Return the context of a method that works on a setting's data."""
        return cls(
            setting.tensors,
            setting.recipe,
            setting.hidden_size,
            seed,
            setting.store.classes,
            progress,
            (setting.data, setting.data_seed),
            setting.recipe_name,
            setting.store.header.never_visible,
        )


class Denoiser(Protocol):
    """A method: a frozen dataclass whose fields are its options."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def denoise(self, context: Context) -> Denoised:
        """Decide which weak labels of the training videos are noise.

        The result depends on the options and the context only; global random states are left alone.
        """


def environment_options(context: Context, method: str) -> dict[str, Any]:
    """Return the arguments of the environment on a context's data.

    Raises:
        CannotOfferError: the validation videos have no dense labels: rewards are F-scores on them.
        InputError: the context does not say where the data set is.
    """
    check_dense(context, method)
    if context.source is None:
        raise InputError(f"method {method!r}: needs a data set by name or path, to make the environment")
    data, data_seed = context.source
    return {
        "data": data,
        "data_seed": data_seed,
        "recipe": context.recipe_name or context.recipe.name,
        "task_network": context.recipe.network,
        "hidden_size": context.hidden_size,
        # As published: RLLD, and what is compared with it, learns beside a new network in each episode.
        "task_start": "fresh",
        "device": str(context.data.device),
    }


def episode_progress(context: Context, episodes: int) -> Callable[[dict[str, float]], None] | None:
    """Return what tells a context's progress from the rows that REINFORCE logs, None where nobody asks."""
    report = context.progress
    return None if report is None else lambda row: report(int(row["episode"]), episodes)


def weak_labels(context: Context) -> NDArray[np.bool_]:
    """Return a fresh copy of the training videos' weak labels, (N, C) bool."""
    return to_numpy(context.data["train"].labels > 0)


def to_numpy(values: "Tensor") -> NDArray[Any]:
    """Return a tensor as an array of its own memory."""
    return np.array(values.detach().cpu().numpy())


def number_of_parameters(network: "nn.Module") -> int:
    """Return how many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


class CannotOfferError(InputError):
    """A method needs what a data set does not have; tables leave its row out."""


def check_dense(context: Context, method: str) -> None:
    """Raise CannotOfferError where a method cannot learn, because the validation videos have no dense labels."""
    validation = context.data["val"]
    if validation.dense_audio is None or validation.dense_visual is None:
        raise CannotOfferError(
            f"method {method!r}: the validation videos have no dense labels to learn from; "
            "take one that needs none, such as jomold"
        )


@contextmanager
def unchanged_labels(context: Context, name: str) -> Iterator[None]:
    """Let a method work, and see that it leaves the data set as it is.

    Raises:
        InputError: the weak labels, which others are judged by and parsers trained on, are not what they were.
    """
    labels = context.data["train"].labels
    before = labels.clone()
    yield
    if not before.equal(labels):
        raise InputError(f"{name}: changed the labels of the data set, which are only to be read; copy them")


def check_denoised(denoised: Denoised, weak: NDArray[np.bool_]) -> None:
    """Check what every method promises.

    Args:
        denoised: what it returned.
        weak: (N, C) bool, the weak labels.

    Raises:
        InputError: something else than `Denoised`, labels or scores of another shape or dtype, an added label, a
            score that is not finite or not 0 at an absent label, remarks that tables or JSON cannot hold.
    """
    if not isinstance(denoised, Denoised):
        raise InputError(
            f"a denoiser returned {type(denoised).__name__}, expected rlld_agents.baselines.Denoised"
        )
    for modality, labels in (("audio", denoised.audio), ("visual", denoised.visual)):
        if labels.shape != weak.shape or labels.dtype != np.bool_:
            raise InputError(
                f"{modality} labels: found {labels.dtype} {labels.shape}, expected bool {weak.shape}"
            )
        if (labels & ~weak).any():
            raise InputError(f"{modality} labels: {int((labels & ~weak).sum())} were not among the weak ones")
    _check_remarks(denoised)
    scores = denoised.removal_score
    if scores is None:
        return
    expected = (weak.shape[0], 2, weak.shape[1])
    if scores.shape != expected or scores.dtype != np.float32:
        raise InputError(f"removal_score: found {scores.dtype} {scores.shape}, expected float32 {expected}")
    if not np.isfinite(scores).all() or scores[np.broadcast_to(~weak[:, None], expected)].any():
        raise InputError("removal_score: must be finite everywhere, and 0 where there is no label")


def _check_remarks(denoised: Denoised) -> None:
    """Check what a method says beside its labels."""
    said = denoised.validation_labels
    if not isinstance(said, str) or set(said) & set("|\r\n"):
        raise InputError(f"validation_labels: found {said!r}, expected a text of one line without |")
    for name, value, kind in (("details", denoised.details, dict), ("curve", list(denoised.curve), list)):
        try:
            if not isinstance(value, kind):
                raise TypeError(f"a {type(value).__name__}")
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{name}: {error}; expected what JSON can hold, finite numbers and texts"
            ) from error
