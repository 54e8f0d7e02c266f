"""Parsers trained from scratch on given labels; a run folder keeps each result, so none is trained twice."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rlld_agents.labels.revised import LabelSet, RevisedLabels
from rlld_agents.policies.online import OnlinePlan, train_online
from rlld_agents.runs.setting import Setting
from rlld_gym.files import read_json, write_sealed_json
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.prediction import evaluate
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.task_file import TaskNetworkInfo, save_task_network
from rlld_gym.parsing.threshold_tuning import tuned_thresholds, tuning_and_reporting
from rlld_gym.parsing.training import feature_sizes, network_options, train_parser
from rlld_gym.tensor_files import TensorFormat

FOLDER_NAME = "parsers"
LABELS_SUFFIX = ".labels.safetensors"
LABELS_FORMAT = TensorFormat("rlld-decided-labels", 1, "set of labels", f"parser{LABELS_SUFFIX}")
SMOOTHED_CONFIDENCE = 0.9


@dataclass(frozen=True)
class ParserJob:
    """One parser to train.

    Attributes:
        label_set: name of the labels, for files and tables.
        source: what the network's file calls the labels; None: ``label_set``.
        labels: the labels.
        seed: of the parser's weights and batches.
        network_path: where the trained network is written; None: nowhere.
        smoothed: train with smoothed visual targets (`SMOOTHED_CONFIDENCE`).
        online: how a policy in the loop decides the labels anew while the parser is being trained; None: they stay.
        tune_thresholds: then choose a visual threshold for each class on half of the validation videos.
    """

    label_set: str
    labels: LabelSet
    seed: int
    network_path: Path | None = None
    online: OnlinePlan | None = None
    smoothed: bool = False
    source: str | None = None
    tune_thresholds: bool = False


def run_parser_job(
    job: ParserJob, setting: Setting, folder: Path, progress: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """Train a parser and test it, unless the run folder already holds the result for exactly this job.

    Args:
        job: the labels and the seed.
        setting: data, recipe, width and device.
        folder: the run folder.
        progress: called with the number of finished epochs and of all epochs.

    Returns:
        The ten test scores in percent; empty where the test split has no dense labels.
    """
    known = known_scores(job, setting, folder)
    return known if known is not None else train_and_record(job, setting, folder, progress)[1]


def train_and_record(
    job: ParserJob, setting: Setting, folder: Path, progress: Callable[[int, int], None] | None = None
) -> tuple[TaskNetwork, dict[str, float]]:
    """Train a parser, test it and write the result; arguments as `run_parser_job`.

    Returns:
        The parser and its ten test scores in percent; none where the test split has no dense labels.
    """
    recipe = _recipe(job, setting)
    start = time.perf_counter()
    tensors, hidden_size = setting.tensors, setting.hidden_size
    common: dict[str, Any] = {"hidden_size": hidden_size, "seed": job.seed, "progress": progress}
    if job.online is None:
        trained = train_parser(tensors, *job.labels, recipe, **common)
    else:
        trained, revised = train_online(tensors, job.online, recipe, **common)
        _write_revised(job, folder, revised)
    if job.tune_thresholds:
        tuning, _ = tuning_and_reporting(tensors["val"])
        chosen = tuned_thresholds(trained.network, tuning, recipe.gate, recipe.thresholds)
        recipe = recipe.replace(thresholds=chosen)
    scores: dict[str, float] = {}
    if tensors["test"].dense_audio is not None:
        outcome = evaluate(trained.network, tensors["test"], recipe.gate, thresholds=recipe.thresholds)
        scores = outcome.as_dict()
    if job.network_path is not None:
        trained_on = {
            "data": setting.store.name,
            "labels": job.source or job.label_set,
            "recipe": asdict(recipe),
            "seed": job.seed,
        }
        sizes = {**feature_sizes(tensors["train"]), "hidden_size": hidden_size, **network_options(recipe)}
        info = TaskNetworkInfo(
            recipe.network, sizes, recipe.gate, trained_on, recipe.thresholds, setting.store.fingerprint
        )
        save_task_network(job.network_path, trained.network, info)
    result = {
        "label_set": job.label_set,
        "seed": job.seed,
        "test": scores,
        "best_epoch": trained.best_epoch,
        "validation": trained.history,
        "seconds": round(time.perf_counter() - start, 3),
        "digest": _digest(job, setting),
        "data": setting.store.fingerprint.as_dict(),
    }
    write_sealed_json(result_path(folder, job.label_set, job.seed), result)
    return trained.network, scores


def known_scores(job: ParserJob, setting: Setting, folder: Path) -> dict[str, float] | None:
    """Return the test scores of exactly this job if the run folder holds them, and its network if it is wanted."""
    path = result_path(folder, job.label_set, job.seed)
    wanted = [path, job.network_path, None if job.online is None else path.with_suffix(LABELS_SUFFIX)]
    if not all(part is None or part.is_file() for part in wanted):
        return None
    result = read_json(path, "the result of a parser")
    return dict(result["test"]) if result.get("digest") == _digest(job, setting) else None


def decided_labels(job: ParserJob, folder: Path) -> RevisedLabels:
    """Return the labels that a job with a policy in the loop has come to; it must be done."""
    return read_decided_labels(decided_labels_path(folder, job.label_set, job.seed))


def decided_labels_path(folder: Path, label_set: str, seed: int) -> Path:
    """Return the file of the labels that a policy in the loop has come to; there is none where they stayed."""
    return result_path(folder, label_set, seed).with_suffix(LABELS_SUFFIX)


def read_decided_labels(path: Path) -> RevisedLabels:
    """Return the labels in a file of `decided_labels_path`."""
    parts = LABELS_FORMAT.read_tensors(path)
    audio, visual = (parts[name].numpy().astype(np.bool_) for name in ("audio", "visual"))
    return RevisedLabels(audio, visual, parts["removal_probability"].numpy())


def result_path(folder: Path, label_set: str, seed: int) -> Path:
    """Return where the result of a parser is in a run folder."""
    return folder / FOLDER_NAME / f"{label_set}-seed{seed}.json"


def _write_revised(job: ParserJob, folder: Path, revised: RevisedLabels) -> None:
    """Keep the labels that a policy in the loop has come to, beside the job's result."""
    path = decided_labels_path(folder, job.label_set, job.seed)
    parts = {
        "audio": torch.from_numpy(revised.audio.astype(np.uint8)),
        "visual": torch.from_numpy(revised.visual.astype(np.uint8)),
        "removal_probability": torch.from_numpy(np.ascontiguousarray(revised.removal_probability)),
    }
    LABELS_FORMAT.write(path, parts, {})


def _recipe(job: ParserJob, setting: Setting) -> Recipe:
    """Return the recipe of a job."""
    if not job.smoothed:
        return setting.recipe
    return setting.recipe.replace(visual_confidence=SMOOTHED_CONFIDENCE)


def _digest(job: ParserJob, setting: Setting) -> str:
    """Return a fingerprint of all that decides a parser's result."""
    split = setting.store.split("train")
    described = [
        setting.store.name,
        {name: setting.store.attributes.get(name) for name in ("sources", "checksums")},
        len(split),
        setting.store.classes,
        asdict(_recipe(job, setting)),
        setting.hidden_size,
        job.seed,
        job.label_set,
    ]
    digest = hashlib.sha256(json.dumps(described).encode())
    for labels in job.labels:
        digest.update(np.packbits(labels).tobytes())
    if job.tune_thresholds:
        digest.update(b"tuned thresholds")
    if job.online is not None:
        digest.update(job.online.first.removal_probability.tobytes())
        digest.update(json.dumps([job.online.evidence_weight, job.online.empty_rule]).encode())
    return digest.hexdigest()
