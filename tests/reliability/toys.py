"""Small data sets that commands can work on, with one peculiarity each."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rlld_gym.data import FeatureStore, Split

Change = Callable[[str, dict[str, Any]], None]
"""Of a split's name and its arrays, in place."""

QUICK = (
    "--preset",
    "paper",
    "--episodes",
    "1",
    "--batch-size",
    "8",
    "--episode-length",
    "2",
    "--parser-epochs",
    "1",
)
"""Options of ``rlld train`` for a run in a second or two."""
RUN = (
    *QUICK,
    "--label-sets",
    "weak",
    "denoised",
    "--workers",
    "1",
    "--device",
    "cpu",
    "--task-start",
    "fresh",
)


def toy_store(
    classes: tuple[str, ...] = ("Speech", "Dog", "Cat", "Car"),
    *,
    videos: tuple[int, int, int] = (32, 8, 8),
    features_seed: int = 0,
    change: Change | None = None,
    name: str = "toy",
) -> FeatureStore:
    """Return a store with random labels, and features that show them; ``features_seed`` draws other noise."""
    labels_from, noise = np.random.default_rng(0), np.random.default_rng(features_seed)
    splits, count = {}, len(classes)
    for key, number in zip(("train", "val", "test"), videos, strict=True):
        labels = labels_from.random((number, count)) < 0.3
        labels[np.arange(number), labels_from.integers(count, size=number)] = True
        heard, seen = labels[:, None] & (labels_from.random((2, number, 10, count)) < 0.7)
        arrays: dict[str, Any] = {
            "filenames": tuple(f"{key[:2]}{row:09d}_0_10" for row in range(number)),
            "audio": (heard + noise.normal(size=heard.shape)).astype("float16"),
            "visual": np.repeat(seen + noise.normal(size=seen.shape), 2, axis=2).astype("float16"),
            "labels": labels,
            "dense_audio": heard,
            "dense_visual": seen,
        }
        if change is not None:
            change(key, arrays)
        splits[key] = Split(name=key, **arrays)
    attributes = {"hidden_size": 16, "recipe": "compact-tiny"}
    return FeatureStore(splits, classes=classes, visual_2d_size=count, attributes=attributes, name=name)


def rolled(store: FeatureStore) -> FeatureStore:
    """Return a store with the same classes in another order, and everything else in theirs."""
    order = np.roll(np.arange(len(store.classes)), 1)
    splits = {}
    for name in ("train", "val", "test"):
        split = store.split(name)
        assert split.dense_audio is not None
        assert split.dense_visual is not None
        splits[name] = Split(
            name, split.filenames, split.audio, split.visual, split.labels[:, order],
            split.dense_audio[..., order], split.dense_visual[..., order],
        )  # fmt: skip
    classes = tuple(store.classes[index] for index in order)
    attributes = dict(store.attributes)
    return FeatureStore(splits, classes=classes, visual_2d_size=4, attributes=attributes, name=store.name)
