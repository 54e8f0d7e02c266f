"""Small works of the command line that write files: how to start them, how to go on, and what they leave."""

import importlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from safetensors import safe_open

from rlld_gym.data.classes import CLASSES
from rlld_gym.data.store.feature_store import FeatureStore
from tests.data.layouts import make_layout
from tests.data.stores import small_split

VIDEOS = {"train": 8, "val": 4, "test": 4}
PARSERS = ["--parser-epochs", "1", "--hidden-size", "4", "--recipe", "compact", "--device", "cpu"]
PASSING = {
    "seconds",
    "removal_seconds",
    "versions",
    "memory_mb",
    "peak_memory_mb",
    "time/fps",
    "time/time_elapsed",
    "elapsed",
}
"""What differs from run to run."""


@dataclass(frozen=True)
class Work:
    """A command that writes below a folder.

    Attributes:
        name: of the command.
        start: from the folder of inputs and the folder to write to, to its words.
        resume: words that go on, from the folder; None: the same words again.
    """

    name: str
    start: Callable[[Path, Path], list[str]]
    resume: Callable[[Path], list[str]] | None = None

    def words(self, inputs: Path, folder: Path) -> list[str]:
        """Return what one would type now: to go on if the work has begun, else to start."""
        if self.resume is not None and (folder / "out" / "config.json").exists():
            return self.resume(folder)
        return self.start(inputs, folder)


AGENT = ["--episode-length", "2", "--batch-size", "2", "--checkpoint-every", "1"]
PRESETS = {
    "paper": ["--episodes", "2", *AGENT],
    "rlld": ["--episodes", "16", *AGENT],
    "imitation": [],
    "joint": ["--episodes", "8", *AGENT],
}
"""What each preset of `rlld train` is told, beside what all are."""


def _train(preset: str) -> Work:
    """Return a run of a preset."""

    def start(inputs: Path, folder: Path) -> list[str]:
        labels = ["--label-sets", "weak", "denoised", "--workers", "1", "--no-report"]
        data = ["--data", str(inputs / "store.h5"), "--out", str(folder / "out")]
        return ["train", "--preset", preset, *PRESETS[preset], *labels, *PARSERS, *data]

    return Work(f"train-{preset}", start, lambda folder: ["train", "--resume", str(folder / "out")])


def _benchmark(inputs: Path, folder: Path) -> list[str]:
    rows = ["--methods", "weak", "jomold", "--agents", "--controls", "--seeds", "1", "--workers", "1"]
    return ["benchmark", *rows, *PARSERS, "--data", str(inputs / "store.h5"), "--out", str(folder / "out")]


WORKS = {
    work.name: work
    for work in (
        *(_train(preset) for preset in PRESETS),
        Work("benchmark", _benchmark, lambda folder: ["benchmark", "--resume", str(folder / "out")]),
        Work(
            "import",
            lambda inputs, folder: [
                *("data", "import", "--annotations", str(inputs / "llp" / "annotations")),
                *("--features", str(inputs / "llp" / "features"), "--out", str(folder / "out.h5")),
            ],
        ),
        Work(
            "denoise",
            lambda inputs, folder: [
                *("denoise", "--with", "no_visual_speech", "--data", str(inputs / "store.h5")),
                *("--out", str(folder / "out")),
            ],
        ),
    )
}


MODULES = ("cli.common", "cli.data", "experiments.experiment", "experiments.study.study", "labels.row_lists")


def load_modules() -> None:
    """Import what the works need, once and not in each forked process."""
    for name in MODULES:
        importlib.import_module(f"rlld_agents.{name}")
    importlib.import_module("rlld_gym.data.llp.importer")
    importlib.import_module("rlld_agents.baselines.jomold")


def make_inputs(folder: Path) -> None:
    """Write a store of a few videos, and annotations and features to import."""
    splits = {name: small_split(name, number, dense=True) for name, number in VIDEOS.items()}
    attributes = {"hidden_size": 4, "recipe": "compact"}
    FeatureStore(splits, classes=CLASSES, visual_2d_size=6, attributes=attributes, name="small").save(
        folder / "store.h5"
    )
    make_layout(folder / "llp")


def content(folder: Path) -> dict[str, Any]:
    """Return what a work left, by file, without times, pictures, logs and checkpoints."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or path.suffix in (".png", ".pt", ".html") or path.name.startswith("events.out"):
            continue
        if path.name in ("seconds.json", "metrics.csv"):
            continue
        if path.suffix == ".safetensors":
            with safe_open(path, framework="np") as file:  # the order in its header is drawn
                found[name] = file.metadata(), {key: file.get_tensor(key).tobytes() for key in file.keys()}  # noqa: SIM118
        elif path.suffix == ".h5":
            found[name] = _store(path)
        elif path.suffix == ".json":
            found[name] = _lasting(json.loads(path.read_text()))
        elif path.suffix == ".jsonl":
            found[name] = [_lasting(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.suffix in (".md", ".csv", ".tex") and "seconds" in path.read_text():
            found[name] = len(path.read_text().splitlines())
        else:
            found[name] = path.read_bytes()
    return found


def _store(path: Path) -> dict[str, Any]:
    """Return what an HDF5 file holds, wherever in it that is."""
    with h5py.File(path) as file:
        parts = {name: (np.asarray(part).tobytes(), dict(part.attrs)) for name, part in file.items()}
        return {**parts, "attributes": {name: str(value) for name, value in file.attrs.items()}}


def _lasting(value: Any) -> Any:
    if isinstance(value, dict):
        # The checksum of a file changes with the seconds in it.
        return {key: _lasting(entry) for key, entry in value.items() if key not in {*PASSING, "checksum"}}
    return [_lasting(entry) for entry in value] if isinstance(value, list) else value


def emptied(folder: Path) -> Path:
    """Return a folder, new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
