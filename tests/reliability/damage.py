"""One file of each kind that this program reads, and seeded ways to damage them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from rlld_agents.experiments.study.cell import StudyCell
from rlld_agents.experiments.study.cells import file_stem
from rlld_agents.experiments.study.sweep import results_of
from rlld_agents.labels.about import LabelOrigin, about_path
from rlld_agents.labels.files import read_labels, write_labels
from rlld_agents.labels.row_lists import read_row_lists, write_row_lists
from rlld_agents.policies.files import HybridAttentionPolicy, load_policy, save_policy
from rlld_agents.runs.checkpoint import load_checkpoint, save_checkpoint
from rlld_agents.runs.folder import fingerprint_of, read_config, write_config
from rlld_gym.data import CLASSES, FeatureStore
from rlld_gym.files import write_sealed_json
from rlld_gym.parsing.networks import make_network
from rlld_gym.parsing.task_file import TaskNetworkInfo, load_task_network, save_task_network
from tests.data.stores import small_store

STORE = small_store()
ORIGIN = LabelOrigin.of(STORE)
SIZES = {
    "audio_size": 4,
    "visual_2d_size": 6,
    "visual_3d_size": 3,
    "num_classes": len(CLASSES),
    "hidden_size": 8,
}


@dataclass(frozen=True)
class Cell:
    """A cell whose result is in the folder."""

    entries: ClassVar = StudyCell.entries
    name: str = "weak"
    seed: int = 0

    def run(self, folder: Path, progress: Callable[[float], None]) -> dict[str, Any]:
        """Never called."""
        raise NotImplementedError


def make_files(folder: Path) -> dict[str, Path]:
    """Write a small file of each kind; return them by kind."""
    train, kept = STORE.split("train"), ORIGIN.weak.copy()
    kept[::2] = False
    files = {
        "store": folder / "store.h5",
        "policy": folder / "policy.safetensors",
        "task network": folder / "task.safetensors",
        "checkpoint": folder / "checkpoint.pt",
        "config": folder / "config.json",
        "labels": folder / "labels.csv",
        "rows": folder / "rows.tsv",
        "about": about_path(folder / "labels.csv"),
        "cell": folder / "cells" / f"{file_stem(Cell())}.json",
    }
    STORE.save(files["store"])
    policy = HybridAttentionPolicy(4, 9, len(CLASSES), 8)
    policy.data = STORE.fingerprint
    save_policy(policy, files["policy"])
    info = TaskNetworkInfo("han", SIZES, "modality", {"data": "small"}, data=STORE.fingerprint)
    save_task_network(files["task network"], make_network("han", **SIZES), info)
    save_checkpoint(files["checkpoint"], {"episode": 3, "weights": torch.arange(50.0), "array": np.arange(9)})
    data = {"fingerprint": STORE.fingerprint.as_dict()}
    write_config(folder, {"data": "store.h5", "episodes": 3}, "rlld train --data store.h5", data)
    write_labels(files["labels"], train.filenames, CLASSES, ORIGIN.weak, kept, origin=ORIGIN)
    write_row_lists(files["rows"], ORIGIN.weak, ORIGIN.weak, kept, origin=ORIGIN)
    write_sealed_json(files["cell"], {
        "method": "weak", "seed": 0, "test": {"segment_audio": 61.25}, "validation": {}, "removal": {},
        "seconds": 3, "curve": [], "data": STORE.fingerprint.as_dict(),
    })  # fmt: skip
    return files


def read_file(kind: str, path: Path) -> str:
    """Return what a file's reader makes of it, as text, so that two outcomes can be compared."""
    return READERS[kind](path)


def _store(path: Path) -> str:
    store = FeatureStore.open(path)
    return f"{store.header} {_text([vars(store.split(name)) for name in ('train', 'val', 'test')])}"


def _policy(path: Path) -> str:
    policy = load_policy(path)
    return f"{policy.sizes()} {policy.data} {_text(policy.state_dict())}"


def _task_network(path: Path) -> str:
    network, info = load_task_network(path)
    return f"{info} {_text(network.state_dict())}"


def _config(path: Path) -> str:
    config = read_config(path.parent)
    return f"{config} {fingerprint_of(config, path.parent)}"


def _labels(path: Path) -> str:
    return _text(read_labels(path, CLASSES, ORIGIN.filenames, ORIGIN.weak))


READERS: dict[str, Callable[[Path], str]] = {
    "store": _store,
    "policy": _policy,
    "task network": _task_network,
    "checkpoint": lambda path: _text(load_checkpoint(path)),
    "config": _config,
    "labels": _labels,
    "rows": lambda path: _text(read_row_lists(path, ORIGIN.weak, ORIGIN)),
    "about": lambda path: _labels(path.with_name("labels.csv")),
    "cell": lambda path: str(results_of([Cell()], path.parent.parent)),
}
"""What reads a file of each kind."""


def _text(value: Any) -> str:
    """Return values with every bit of their arrays."""
    if isinstance(value, dict):
        return str({key: _text(entry) for key, entry in value.items()})
    if isinstance(value, list | tuple):
        return str([_text(entry) for entry in value])
    if isinstance(value, torch.Tensor):
        value = value.numpy()
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {value.tobytes().hex()}"
    return repr(value)


def damaged(content: bytes, generator: np.random.Generator) -> tuple[str, bytes]:
    """Return how a file was damaged, and its bytes: one bit flipped, cut, a piece zeroed, or two exchanged."""
    size = len(content)
    how = ("flipped", "cut", "zeroed", "swapped")[generator.integers(4)]
    length = int(generator.integers(1, max(2, min(512, size // 4))))
    place, other = (int(start) for start in generator.integers(0, max(1, size - length), size=2))
    changed = bytearray(content)
    if how == "flipped":
        changed[place] ^= 1 << int(generator.integers(8))
    elif how == "cut":
        del changed[place:]
    elif how == "zeroed":
        changed[place : place + length] = bytes(length)
    else:
        first, second = content[place : place + length], content[other : other + length]
        changed[place : place + length] = second
        changed[other : other + length] = first
    return f"{how} at byte {place} of {size}, length {length}, other {other}", bytes(changed)
