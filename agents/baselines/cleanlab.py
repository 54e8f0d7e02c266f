"""Confident learning by the library cleanlab (Northcutt et al., "Confident Learning", JAIR 2021).

Parsers predict the training videos that they were not trained on; cleanlab compares those probabilities with the
labels, class by class, and says which labels it takes for errors. Needs the extra "cleanlab".
"""

import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_agents.baselines.base import Context, Denoised, to_numpy, weak_labels
from rlld_agents.baselines.parts.unimodal import Unimodal, pooled_probabilities
from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.training import feature_sizes, make_task_network, train_parser

FilterBy = Literal[
    "prune_by_noise_rate",
    "prune_by_class",
    "both",
    "confident_learning",
    "predicted_neq_given",
    "low_normalized_margin",
    "low_self_confidence",
]
"""cleanlab's rules; see the documentation of ``cleanlab.filter.find_label_issues``."""


@dataclass(frozen=True)
class Cleanlab:
    """cleanlab's search for errors in multi-label data, applied to each modality with its own probabilities.

    The training videos are cut into parts; each part's probabilities come from a parser that was trained on the
    weak labels of the other parts with the context's recipe and kept after its last epoch, so validation labels
    are not looked at. cleanlab then judges every class as a problem of two classes, present and absent. It also
    names labels that it misses; those are counted, not added.
    """

    folds: int = 5
    """Parts of the training split, at most one per video; the time is that of so many parsers."""
    filter_by: FilterBy = "prune_by_noise_rate"
    """cleanlab's rule; the default is cleanlab's."""
    cross_attention: bool = False
    """Whether parsers may use the other modality. Without, as in JoMoLD's noise estimator, a class that is only
    seen is not heard by way of the picture: each modality's probability speaks for that modality alone."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if self.folds < 2:
            raise InputError(f"folds is {self.folds}, expected at least 2")
        if self.filter_by not in get_args(FilterBy):
            raise InputError(
                f"filter_by is {self.filter_by!r}, expected one of {', '.join(get_args(FilterBy))}"
            )

    @property
    def name(self) -> str:
        """What tables call it."""
        return "cleanlab"

    def denoise(self, context: Context) -> Denoised:
        """Train the parsers, ask cleanlab, remove what it takes for errors.

        Raises:
            InputError: cleanlab is not installed, or there is one training video only.
        """
        library = _cleanlab()
        weak = weak_labels(context)
        probabilities = self.held_out_probabilities(context)
        issues, scores = zip(
            *(_judged(weak, probability, self.filter_by) for probability in probabilities), strict=True
        )
        missing = [int((flagged & ~weak).sum()) for flagged in issues]
        return Denoised(
            audio=weak & ~issues[0],
            visual=weak & ~issues[1],
            removal_score=np.stack(scores, axis=1),
            details={
                "cleanlab": library.__version__,
                "folds": min(self.folds, len(weak)),
                "missing": {"audio": missing[0], "visual": missing[1]},
            },
        )

    def held_out_probabilities(self, context: Context) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return audio and visual probabilities of the training videos by parsers that were not trained on them.

        Args:
            context: as every method gets it; its progress counts the epochs of all parsers.

        Returns:
            (N, C) float32 in [0, 1] each, in the order of the videos.

        Raises:
            InputError: there is one video only.
        """
        train, epochs = context.data["train"], context.recipe.epochs
        if len(train) < 2:
            raise InputError(f"cleanlab: found {len(train)} training videos, expected at least 2")
        folds = min(self.folds, len(train))
        order = torch.randperm(len(train), generator=torch.Generator().manual_seed(context.seed))
        parts = order.to(train.labels.device).tensor_split(folds)
        found: Tensor = torch.zeros((2, *train.labels.shape), device=train.labels.device)
        for number, part in enumerate(parts):
            others = torch.cat([other for index, other in enumerate(parts) if index != number]).sort().values
            network = self._train(context, rows_of(train, others), number * epochs, folds * epochs)
            found[:, part] = torch.stack(pooled_probabilities(network, rows_of(train, part), 128))
        return to_numpy(found[0]), to_numpy(found[1])

    def _train(self, context: Context, train: SplitTensors, done: int, epochs: int) -> TaskNetwork:
        """Return a parser that was trained on some of the videos, in evaluation mode."""
        network = make_task_network(
            context.recipe,
            **feature_sizes(train),
            hidden_size=context.hidden_size,
            seed=context.seed,
            device=context.data.device,
        )
        progress = context.progress
        return train_parser(
            StoreTensors({**context.data, "train": train}),
            train.labels,
            train.labels,
            context.recipe,
            hidden_size=context.hidden_size,
            seed=context.seed,
            network=network if self.cross_attention else Unimodal(network),
            keep="last",
            progress=None if progress is None else lambda epoch, _: progress(done + epoch, epochs),
        ).network


def rows_of(split: SplitTensors, rows: Tensor) -> SplitTensors:
    """Return a copy of some videos of a split, without their dense labels; ``rows`` is (M,) int64."""
    return split.rows(rows).without_dense()


def _judged(
    weak: NDArray[np.bool_], probability: NDArray[np.float32], filter_by: FilterBy
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return what cleanlab takes for errors, absent labels included, and the scores of the present ones."""
    from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class  # noqa: PLC0415
    from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class  # noqa: PLC0415

    issues, scores = np.zeros_like(weak), np.zeros(weak.shape, np.float32)
    # A class that every video has, or none, is no problem of two classes.
    known = np.flatnonzero(weak.any(axis=0) & ~weak.all(axis=0))
    if len(known) == 0:
        return issues, scores
    labels: list[list[int]] = [np.flatnonzero(row).tolist() for row in weak[:, known]]
    chosen = probability[:, known].astype(np.float64)
    with warnings.catch_warnings():
        # Once for every class with few videos or few confident ones; it then keeps those labels, as documented.
        warnings.filterwarnings("ignore", message="May not flag all label issues", category=UserWarning)
        issues[:, known] = find_multilabel_issues_per_class(labels, chosen, filter_by=filter_by, n_jobs=1)
    quality: NDArray[Any] = get_label_quality_scores_per_class(labels, chosen, method="self_confidence")
    scores[:, known] = 1.0 - quality
    return issues, np.where(weak, scores, np.float32(0.0))


def _cleanlab() -> ModuleType:
    """Return the library (InputError where it is missing)."""
    try:
        import cleanlab  # noqa: PLC0415
        import cleanlab.multilabel_classification  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f'the method "cleanlab" needs the library of that name ({error}); '
            "install it: pip install 'rlld-gym[cleanlab]'"
        ) from error
    library: ModuleType = cleanlab
    return library
