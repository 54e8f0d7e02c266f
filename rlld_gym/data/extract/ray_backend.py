"""Extraction by actors of Ray Data, on this machine or on a cluster whose machines see the same folders."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.extract.backends import Outcome, Work, write
from rlld_gym.data.extract.libraries import need
from rlld_gym.data.extract.notes import Note
from rlld_gym.data.extract.worker import ExtractOptions, FeatureExtractor, made_streams
from rlld_gym.devices import checked_device
from rlld_gym.errors import InputError
from rlld_gym.ray_session import ray_session

Batch = dict[str, NDArray[Any]]


class Actor:
    """Holds the networks in a process of Ray; a call makes and writes the features of some videos.

    Only names go over the wire: in come paths, out go shapes and notes, or an InputError's text, which Ray would
    wrap into an error of its own with traces of many lines.
    """

    def __init__(self, options: ExtractOptions) -> None:
        self.options = options
        self.extractor: FeatureExtractor | None = None

    def __call__(self, batch: Batch) -> Batch:
        """Return an outcome, as JSON, for each work, as JSON; or, once, the text of an InputError."""
        try:
            if self.extractor is None:
                self.extractor = FeatureExtractor(self.options)
            answers = [asdict(outcome) for outcome in self.made([_work(text) for text in batch["work"]])]
        except InputError as error:
            answers = [{"error": str(error)}]
        return {"outcome": np.array([json.dumps(answer) for answer in answers], dtype=object)}

    def made(self, works: Sequence[Work]) -> list[Outcome]:
        """Return what became of works, after their files are written."""
        assert self.extractor is not None
        features = self.extractor([work.path for work in works])
        return [write(work, of_one) for work, of_one in zip(works, features, strict=True)]


def on_ray(options: ExtractOptions, works: Sequence[Work], at_a_time: int, workers: int) -> Iterator[Outcome]:
    """Yield outcomes as they come; a worker that is lost is replaced, and its videos are done again.

    A cluster that is running is used if RAY_ADDRESS names it; else Ray starts on this machine. Videos, features and
    files of weights must be where all machines see them. Libraries and weights are tried here first. Each actor
    has a GPU of its own where the device is one; "auto" takes GPUs where the cluster has any.

    Args:
        options: what to extract.
        works: videos and their files.
        at_a_time: videos that an actor takes together.
        workers: actors at most; they come when there is work for them.

    Raises:
        InputError: at once, where Ray or another library is not installed, weights cannot be had, or the device is
            a GPU of one number; later, what an actor refuses.
    """
    for name in ("ray", "ray.data"):
        need(name, "--backend ray")
    if checked_device(options.device).startswith("cuda:"):
        raise InputError(
            f"--device {options.device} with --backend ray: every actor sees one GPU, which Ray chooses; say "
            "--device cuda"
        )
    for _ in made_streams(options):
        pass
    return _outcomes(options, works, at_a_time, workers)


def _outcomes(
    options: ExtractOptions, works: Sequence[Work], at_a_time: int, workers: int
) -> Iterator[Outcome]:
    data = need("ray.data", "--backend ray")
    absolute = [{"work": text_of(work)} for work in works]
    sources = {s: _absolute(options.source(s)) for s in options.streams}
    with ray_session(workers + 1, "--backend ray") as ray:
        device = actors_device(options.device, ray.cluster_resources().get("GPU", 0))
        data.DataContext.get_current().enable_progress_bars = False
        blocks = max(1, len(works) // at_a_time)
        outcomes = data.from_items(absolute, override_num_blocks=blocks).map_batches(
            Actor,
            fn_constructor_args=(replace(options, weights=sources, device=device),),
            batch_size=at_a_time,
            num_cpus=1,
            num_gpus=1 if device == "cuda" else 0,
            compute=data.ActorPoolStrategy(min_size=1, max_size=workers),
        )
        for row in outcomes.iter_rows():
            yield _outcome(row["outcome"])


def actors_device(device: str, gpus: float) -> str:
    """Return the device of each actor, "cpu" or "cuda".

    Args:
        device: "auto", "cpu" or "cuda".
        gpus: how many the cluster has.

    Raises:
        InputError: "cuda" without any, for which Ray would wait.
    """
    if device == "auto":
        return "cuda" if gpus >= 1 else "cpu"
    if device != "cpu" and gpus < 1:
        raise InputError(f"--device {device} with --backend ray: the cluster has no GPU; say --device cpu")
    return device


def text_of(work: Work) -> str:
    """Return a work as it goes to an actor: JSON, with whole paths."""
    targets = {stream: str(path.resolve()) for stream, path in work.targets.items()}
    return json.dumps([str(work.path.resolve()), targets])


def _work(text: str) -> Work:
    path, targets = json.loads(text)
    return Work(Path(path), {stream: Path(target) for stream, target in targets.items()})


def _outcome(text: str) -> Outcome:
    values = json.loads(text)
    if "error" in values:
        raise InputError(values["error"])
    shapes = {stream: tuple(shape) for stream, shape in values["shapes"].items()}
    return Outcome(values["video"], shapes, tuple(Note(**note) for note in values["notes"]))


def _absolute(source: str) -> str:
    """Return a file or folder by its whole path; other words as they are."""
    return str(Path(source).resolve()) if Path(source).exists() else source
