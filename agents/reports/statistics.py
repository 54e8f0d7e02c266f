"""Aggregates over seeds with the uncertainty that few seeds leave."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000


def interquartile_mean(values: Sequence[float] | NDArray[np.floating], axis: int = -1) -> NDArray[np.float64]:
    """Return the mean of the middle half of the values (Agarwal et al., NeurIPS 2021, arXiv 2108.13264).

    A quarter of the values is left out at each end; where their number is no multiple of four, the values at the
    edges count in part, so that the weights always sum to half the number.

    Args:
        values: at least one number along the axis.
        axis: of the runs.

    Returns:
        The mean, without that axis.
    """
    ordered = np.moveaxis(np.sort(np.asarray(values, np.float64), axis=axis), axis, -1)
    number = ordered.shape[-1]
    ranks = np.arange(number)
    # Share of the interval [rank, rank + 1] that lies between the quartiles n / 4 and 3 n / 4.
    weights = np.clip(np.minimum(ranks + 1, 0.75 * number) - np.maximum(ranks, 0.25 * number), 0, 1)
    result: NDArray[np.float64] = (ordered * weights).sum(axis=-1) / weights.sum()
    return result


def bootstrap_mean_interval(
    values: Sequence[float] | NDArray[np.floating], level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean; arguments and result as `bootstrap_interval`."""
    return _interval(np.asarray(values, np.float64), lambda draws: draws.mean(axis=-1), level, seed)


def bootstrap_interval(
    values: Sequence[float] | NDArray[np.floating], level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the interquartile mean over seeds (Efron, 1979).

    Args:
        values: (S,) one number per seed.
        level: coverage, in (0, 1).
        seed: of the resampling.

    Returns:
        Lower and upper end. Of a single seed, which says nothing about spread, both are its value.
    """
    return _interval(np.asarray(values, np.float64), interquartile_mean, level, seed)


def _interval(
    observed: NDArray[np.float64],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    level: float,
    seed: int,
) -> tuple[float, float]:
    draws = np.random.default_rng(seed).integers(len(observed), size=(RESAMPLES, len(observed)))
    low, high = np.quantile(statistic(observed[draws]), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
