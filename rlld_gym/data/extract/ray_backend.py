"""Extraction by actors of Ray Data, on this machine or on a cluster whose machines see the same folders."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.extract.backends import Outcome, Work, write
from rlld_gym.data.extract.libraries import need
from rlld_gym.data.extract.notes import Note
from rlld_gym.data.extract.worker import ExtractOptions, FeatureExtractor

Batch = dict[str, NDArray[Any]]


class Actor:
    """Holds the networks in a process of Ray; a call makes and writes the features of some videos.

    Only names go over the wire: in come paths, out go shapes and notes.
    """

    def __init__(self, options: ExtractOptions) -> None:
        self.extractor = FeatureExtractor(options)

    def __call__(self, batch: Batch) -> Batch:
        """Return an outcome, as JSON, for each work, as JSON."""
        works = [_work(text) for text in batch["work"]]
        made = self.extractor([work.path for work in works])
        outcomes = [write(work, features) for work, features in zip(works, made, strict=True)]
        return {"outcome": np.array([json.dumps(asdict(outcome)) for outcome in outcomes], dtype=object)}


def on_ray(options: ExtractOptions, works: Sequence[Work], at_a_time: int, workers: int) -> Iterator[Outcome]:
    """Yield outcomes as they come; a worker that is lost is replaced, and its videos are done again.

    A cluster that is running is used if RAY_ADDRESS names it; else Ray starts on this machine. Videos, features and
    files of weights must be where all machines see them; each actor has a GPU of its own where the device is one.

    Args:
        options: what to extract.
        works: videos and their files.
        at_a_time: videos that an actor takes together.
        workers: actors at most; they come when there is work for them.

    Raises:
        InputError: Ray is not installed.
    """
    for name in ("ray", "ray.data"):
        need(name, "--backend ray")
    return _outcomes(options, works, at_a_time, workers)


def _outcomes(
    options: ExtractOptions, works: Sequence[Work], at_a_time: int, workers: int
) -> Iterator[Outcome]:
    ray, data = need("ray", "--backend ray"), need("ray.data", "--backend ray")
    absolute = [
        {"work": json.dumps([str(w.path.resolve()), {s: str(p.resolve()) for s, p in w.targets.items()}])}
        for w in works
    ]
    sources = {s: _absolute(options.source(s)) for s in options.streams}
    started = not ray.is_initialized()
    if started:
        paths = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
        local = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers + 1, "include_dashboard": False}
        ray.init(log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": paths}}, **local)
    try:
        data.DataContext.get_current().enable_progress_bars = False
        blocks = max(1, len(works) // at_a_time)
        outcomes = data.from_items(absolute, override_num_blocks=blocks).map_batches(
            Actor,
            fn_constructor_args=(replace(options, weights=sources),),
            batch_size=at_a_time,
            num_cpus=1,
            num_gpus=1 if options.device.startswith("cuda") else 0,
            compute=data.ActorPoolStrategy(min_size=1, max_size=workers),
        )
        for row in outcomes.iter_rows():
            yield _outcome(row["outcome"])
    finally:
        if started:
            ray.shutdown()


def _work(text: str) -> Work:
    path, targets = json.loads(text)
    return Work(Path(path), {stream: Path(target) for stream, target in targets.items()})


def _outcome(text: str) -> Outcome:
    values = json.loads(text)
    shapes = {stream: tuple(shape) for stream, shape in values["shapes"].items()}
    return Outcome(values["video"], shapes, tuple(Note(**note) for note in values["notes"]))


def _absolute(source: str) -> str:
    """Return a file or folder by its whole path; other words as they are."""
    return str(Path(source).resolve()) if Path(source).exists() else source
