"""Stores in which fewer validation videos have dense labels: what annotation costs, and what if they mislead."""

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.sharded_array import ShardedArray
from rlld_gym.data.split import Split
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.errors import InputError


def check_dense_videos(store: FeatureStore, number: int, shift: float = 0.0) -> None:
    """Raise InputError where `with_dense_videos` cannot keep so many videos, selected like that."""
    validation = store.split("val")
    if number < 1:
        raise InputError(f"dense videos: found {number}, expected at least 1")
    if number > len(validation):
        raise InputError(
            f"dense videos: found {number}, expected at most {len(validation)}, the validation videos of "
            f"{store.name}"
        )
    if shift and validation.truth() is None:
        raise InputError(
            f"shift {shift}: the validation videos of {store.name} have no dense labels; use shift 0"
        )


def with_dense_videos(store: FeatureStore, number: int, *, shift: float = 0.0, seed: int = 0) -> FeatureStore:
    """Return a store whose validation split is a random part of another store's.

    Args:
        store: V validation videos, with dense labels where there is to be a shift.
        number: videos to keep, 1 to V.
        shift: how strongly the part is selected so that its classes are seen more or less often than in the other
            splits. Every class is given a sign at random; the odds of a video being kept are multiplied with
            ``exp(shift * sign)`` for each of its labels that is nowhere seen. 0: all videos are equally likely.
        seed: of signs and choice.

    Returns:
        A store in memory; training and test split are the other's own arrays. Videos keep their order. Its sources
        say how it was made.

    Raises:
        InputError: an impossible number, or a shift without dense labels.
    """
    check_dense_videos(store, number, shift)
    validation = store.split("val")
    truth = validation.truth()
    generator = np.random.default_rng(seed)
    log_odds = np.zeros(len(validation))
    if shift and truth is not None:
        signs = generator.choice([-1.0, 1.0], size=validation.labels.shape[-1])
        log_odds = shift * ((validation.labels & ~truth[1]) @ signs)
    # The largest of log-odds plus Gumbel noise are a weighted sample without replacement (Efraimidis and Spirakis).
    rows = np.sort(np.argsort(-(log_odds + generator.gumbel(size=len(validation))))[:number])
    attributes = dict(store.attributes)
    made = {"dense_videos": number, "shift": shift, "seed": seed}
    attributes["sources"] = {**attributes.get("sources", {}), "validation": made}
    attributes.pop("checksums", None)  # of the other store's arrays
    return FeatureStore(
        {**{name: store.split(name) for name in SPLITS}, "val": _rows_of(validation, rows)},
        classes=store.classes,
        visual_2d_size=store.visual_2d_size,
        attributes=attributes,
        name=store.name,
    )


def _rows_of(split: Split, rows: NDArray[np.int64]) -> Split:
    """Return some videos of a split."""
    values: dict[str, Any] = {field.name: getattr(split, field.name) for field in fields(split)}
    for name, value in values.items():
        if isinstance(value, np.ndarray | ShardedArray):
            values[name] = value[rows]
    values["filenames"] = tuple(split.filenames[row] for row in rows)
    return Split(**values)
