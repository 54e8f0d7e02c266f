"""A pickle in the place of any file is never carried out."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlld_agents.cli.train_parser import labels_from
from rlld_agents.experiments.study.sweep import results_of
from rlld_agents.policies.files import load_policy
from rlld_agents.runs.checkpoint import load_checkpoint
from rlld_agents.runs.folder import read_config
from rlld_gym.data import CLASSES, FeatureStore
from rlld_gym.data.extract.weights import read_state
from rlld_gym.data.llp.annotations import load_annotations
from rlld_gym.data.llp.npy_scan import VideoFiles, read_video
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import load_public_checkpoint
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.task_file import load_task_network
from tests.reliability.damage import STORE, Cell


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


LOADERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "store": ("store.h5", FeatureStore.open),
    "policy": ("policy.safetensors", load_policy),
    "task network": ("task.safetensors", load_task_network),
    "checkpoint": ("checkpoint.pt", load_checkpoint),
    "public checkpoint": ("han.pt", lambda path: load_public_checkpoint("han", path)),
    "weights of a feature network": ("weights.pth", read_state),
    "config": ("config.json", lambda path: read_config(path.parent)),
    "cell": ("cells/weak-seed0.json", lambda path: results_of([Cell()], path.parent.parent)),
    "labels": ("labels.csv", lambda path: labels_from(path, STORE.split("train"), CLASSES)),
    "recipe": ("recipe.json", lambda path: get_recipe(str(path))),
    "annotations": ("AVVP_train.csv", lambda path: load_annotations(path.parent)),
}


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("form", ["pickle", "torch", "numpy"])
def test_a_pickle_is_refused(tmp_path: Path, kind: str, form: str) -> None:
    name, load = LOADERS[kind]
    path, marker = tmp_path / name, tmp_path / "unpickled"
    path.parent.mkdir(exist_ok=True)
    write_bomb(path, form, marker)
    with pytest.raises(InputError):
        load(path)
    assert not marker.exists()


def test_features_are_no_objects(tmp_path: Path) -> None:
    """Not even where an import meets them."""
    marker = tmp_path / "unpickled"
    write_bomb(tmp_path / "a.npy", "numpy", marker)
    files = VideoFiles("a", {"audio": tmp_path / "a.npy"})
    _, problems = read_video(files, {"audio": 4})
    assert problems
    assert not marker.exists()


def test_the_bomb_would_go_off(tmp_path: Path) -> None:
    write_bomb(tmp_path / "bomb", "pickle", tmp_path / "unpickled")
    pickle.loads((tmp_path / "bomb").read_bytes())
    assert (tmp_path / "unpickled").is_dir()


def write_bomb(path: Path, form: str, marker: Path) -> None:
    if form == "pickle":
        path.write_bytes(pickle.dumps(Bomb(marker)))
    elif form == "torch":
        torch.save({"state": Bomb(marker)}, path)
    else:
        with path.open("wb") as file:
            np.save(file, np.array([Bomb(marker)], dtype=object), allow_pickle=True)
