"""A small store that is not like LLP, for the doors of all libraries."""

from pathlib import Path
from typing import Any

import numpy as np

from rlld_gym.data import FeatureStore
from rlld_gym.data.split import Split
from tests.data.made_up import OWN

BATCH, LENGTH = 8, 2


def own_options(folder: Path) -> dict[str, Any]:
    """Write a store of 20 segments, 7 classes and features of 5 and 7 + 4; return the environment's arguments."""
    generator = np.random.default_rng(0)
    splits = {}
    for name, number in (("train", 48), ("val", 12), ("test", 12)):
        labels = generator.random((number, 7)) < 0.3
        labels[np.arange(number), generator.integers(7, size=number)] = True
        dense = labels[:, None] & (generator.random((2, number, 20, 7)) < 0.7)
        sizes = {"audio": 5, "visual": 11}
        features = {
            key: generator.normal(size=(number, 20, size)).astype("float16") for key, size in sizes.items()
        }
        names = tuple(f"{name} clip {row}" for row in range(number))
        splits[name] = Split(
            name, names, **features, labels=labels, dense_audio=dense[0], dense_visual=dense[1]
        )
    path = folder / "own.h5"
    notes = {"hidden_size": 8, "recipe": "compact-tiny", "never_visible": "Wind"}
    FeatureStore(splits, classes=OWN, visual_2d_size=7, attributes=notes, name="own").save(path)
    start = {"task_start_epochs": 1}
    return {"data": str(path), "batch_size": BATCH, "episode_length": LENGTH, "subset": 0.5, **start}


def per_video(options: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of the per-video environment, whose batch is its number of copies."""
    return {name: value for name, value in options.items() if name != "batch_size"}
