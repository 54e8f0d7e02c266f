"""One cell of the benchmark: a method with one seed, from removing labels to test scores."""

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.baselines import Context, check_denoised
from rlld_agents.baselines.base import (
    EPOCH_SELECTION,
    NO_VALIDATION_LABELS,
    CannotOfferError,
    Denoised,
    number_of_parameters,
)
from rlld_agents.experiments.benchmark.config import BenchmarkConfig
from rlld_agents.experiments.benchmark.rows import method_of
from rlld_agents.experiments.experiment import choose_device
from rlld_agents.experiments.study.cells import Progress
from rlld_agents.labels.files import write_labels
from rlld_agents.labels.removal import SPEECH, ModalityRemoval, rank_auc, removal_quality
from rlld_gym.data import FeatureStore, open_data
from rlld_gym.data.catalog import shared_tensors
from rlld_gym.data.dense_videos import with_dense_videos
from rlld_gym.data.split import Split
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.training import train_parser

LABELS_FOLDER = "labels"
DATA_FOLDER = "data"


@dataclass(frozen=True)
class BenchmarkCell:
    """A row of the benchmark with one seed.

    Attributes:
        config: the benchmark.
        name: of the row, see `rows`.
        seed: of the method and of the parser.
    """

    config: BenchmarkConfig
    name: str
    seed: int

    def run(self, folder: Path, progress: Progress) -> dict[str, Any]:
        """Remove labels, train a parser on what is left unless the method has one, score it, write the labels."""
        config = self.config
        source = self._source(folder)
        store = open_data(*source)
        train = store.split("train")
        context = self._context(store, source, progress)
        started = time.perf_counter()
        try:
            denoised = method_of(self.name, config).denoise(context)
        except CannotOfferError as error:
            return {"method": self.name, "seed": self.seed, "skipped": str(error)}
        check_denoised(denoised, train.labels)
        removed_after = time.perf_counter() - started
        network = denoised.network or self._train(context, denoised)
        seconds = time.perf_counter() - started
        gate, thresholds = context.recipe.gate, context.recipe.thresholds
        scores = {
            name: evaluate(network, context.data[name], gate, thresholds=thresholds).as_dict()
            for name in ("test", "val")
        }
        write_labels(
            folder / LABELS_FOLDER / f"{self.name}-seed{self.seed}.csv",
            train.filenames,
            store.classes,
            denoised.audio,
            denoised.visual,
        )
        return {
            "method": self.name,
            "seed": self.seed,
            "test": scores["test"],
            "validation": scores["val"],
            "removal": removal_summary(train, store.classes, denoised),
            "validation_labels": _validation_labels(denoised),
            "seconds": round(seconds, 1),
            "removal_seconds": round(removed_after, 1),
            "peak_memory_mb": round(_peak_memory()),
            "parameters": number_of_parameters(network) + int(denoised.details.get("policy_parameters", 0)),
            "details": denoised.details,
        }

    def _source(self, folder: Path) -> tuple[str, int]:
        """Return name or path of the data set and its seed; a cut validation split is in the seed's own file."""
        config = self.config
        if config.dense_videos is None:
            return config.data, config.data_seed
        path = folder / DATA_FOLDER / f"seed{self.seed}.h5"
        if not path.is_file():  # every row of the seed has the same videos
            path.parent.mkdir(exist_ok=True)
            whole = open_data(config.data, config.data_seed)
            with_dense_videos(whole, config.dense_videos, shift=config.dense_shift, seed=self.seed).save(path)
        return str(path), 0

    def _context(self, store: FeatureStore, source: tuple[str, int], progress: Progress) -> Context:
        config = self.config
        recipe = get_recipe(config.recipe or str(store.attributes["recipe"]))
        if config.parser_epochs is not None:
            recipe = recipe.shortened(config.parser_epochs)
        data = shared_tensors(source[0], str(choose_device(config.device)), source[1])

        def report(done: int, total: int) -> None:
            progress(min(done / max(total, 1), 1.0) * 0.9)

        hidden_size = config.hidden_size or int(store.attributes["hidden_size"])
        return Context(data, recipe, hidden_size, self.seed, store.classes, report, source)

    @staticmethod
    def _train(context: Context, denoised: Denoised) -> TaskNetwork:
        """Train the benchmark's parser on a method's labels."""
        labels = denoised.audio, denoised.visual
        return train_parser(
            context.data, *labels, context.recipe, hidden_size=context.hidden_size, seed=context.seed
        ).network


def removal_summary(train: Split, classes: tuple[str, ...], denoised: Denoised) -> dict[str, dict[str, Any]]:
    """Return for each modality the quality of the removals, with and without Speech, and counts per class.

    Args:
        train: the training videos, with or without truth.
        classes: C names.
        denoised: what a method left.

    Returns:
        "audio" and "visual", each with "rate", "precision", "recall", "auc" (None where unknown), the same with
        the ending "_without_speech", lists of C counts: "labels", "removed", "noisy", "correct", and "class_auc".
    """
    truth, scores = train.truth(), denoised.removal_score
    quality = removal_quality(train.labels, denoised.audio, denoised.visual, truth, scores)
    others = np.array([name != SPEECH for name in classes])
    rest = removal_quality(train.labels, denoised.audio, denoised.visual, truth, scores, chosen=others)
    return {
        name: _ratios(whole)
        | {f"{key}_without_speech": v for key, v in _ratios(part).items()}
        | _counts(whole)
        | {"class_auc": _class_auc(train.labels, truth, scores, modality)}
        for modality, (name, whole, part) in enumerate(
            (("audio", quality.audio, rest.audio), ("visual", quality.visual, rest.visual))
        )
    }


def _class_auc(
    labels: NDArray[np.bool_],
    truth: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None,
    scores: NDArray[np.float32] | None,
    modality: int,
) -> list[float | None] | None:
    """Return for each class how well its noisy labels are ranked; None where nobody knows."""
    if truth is None or scores is None:
        return None
    return [
        rank_auc(score[present], ~true[present])
        for present, true, score in zip(labels.T, truth[modality].T, scores[:, modality].T, strict=True)
    ]


def _ratios(quality: ModalityRemoval) -> dict[str, float | None]:
    return {"rate": quality.removal_rate, **quality.as_dict()}


def _counts(quality: ModalityRemoval) -> dict[str, list[int] | None]:
    counts: dict[str, NDArray[np.int64] | None] = {
        name: getattr(quality, name) for name in ("labels", "removed", "noisy", "correct")
    }
    return {name: None if values is None else values.tolist() for name, values in counts.items()}


def _validation_labels(denoised: Denoised) -> str:
    """Return what validation labels a row used; every parser's epoch is chosen on them."""
    used = denoised.validation_labels
    return EPOCH_SELECTION if used == NO_VALIDATION_LABELS else used


def _peak_memory() -> float:
    """Return the peak of this process's memory in MB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6
