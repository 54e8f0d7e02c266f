"""Small stores for tests."""

from typing import Any

import numpy as np

from rlld_gym.data.classes import CLASSES, SPLITS
from rlld_gym.data.split import Split
from rlld_gym.data.store.feature_store import FeatureStore

COUNTS = {"train": 6, "val": 3, "test": 4}


def small_split(name: str, number: int, *, dense: bool, dtype: str = "float16", seed: int = 0) -> Split:
    """Return a split of sizes 4 + 6 + 3 with consistent labels; dense ones are left out on request."""
    generator = np.random.default_rng([seed, SPLITS.index(name)])
    labels = generator.random((number, len(CLASSES))) < 0.1
    labels[np.arange(number), generator.integers(len(CLASSES), size=number)] = True
    tracks = labels[:, None] & (generator.random((2, number, 10, len(CLASSES))) < 0.8)
    return Split(
        name=name,
        filenames=tuple(f"{name[:2]}_{index:08d}_30_40" for index in range(number)),
        audio=generator.normal(size=(number, 10, 4)).astype(dtype),
        visual=generator.normal(size=(number, 10, 9)).astype(dtype),
        labels=labels,
        dense_audio=tracks[0] if dense else None,
        dense_visual=tracks[1] if dense else None,
    )


def small_store(dtype: str = "float16", seed: int = 0, **attributes: Any) -> FeatureStore:
    """Return a store of 6/3/4 videos without dense training labels."""
    splits = {
        name: small_split(name, number, dense=name != "train", dtype=dtype, seed=seed)
        for name, number in COUNTS.items()
    }
    return FeatureStore(splits, classes=CLASSES, visual_2d_size=6, attributes=attributes, name="small")
