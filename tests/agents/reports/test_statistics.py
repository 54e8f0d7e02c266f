import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlld_agents.reports.statistics import bootstrap_interval, interquartile_mean

NUMBERS = st.lists(st.floats(-100, 100), min_size=1, max_size=13)


def naive_interquartile_mean(values: list[float]) -> float:
    """Every value four times: then a quarter of them is a whole number."""
    repeated = sorted(values * 4)
    number = len(values)
    return sum(repeated[number : 3 * number]) / (2 * number)


@given(NUMBERS)
def test_interquartile_mean_equals_the_middle_half_of_repeated_values(values: list[float]) -> None:
    assert interquartile_mean(values) == pytest.approx(naive_interquartile_mean(values), abs=1e-9)


def test_interquartile_mean_of_five_values_by_hand() -> None:
    # A quarter of 5 is 1.25: the second and fourth value count three quarters.
    assert interquartile_mean([100, 1, 2, 4, -50]) == pytest.approx((0.75 * 1 + 2 + 0.75 * 4) / 2.5)


def test_interquartile_mean_along_an_axis() -> None:
    values = np.random.default_rng(0).normal(size=(6, 3))
    expected = [naive_interquartile_mean(list(column)) for column in values.T]
    np.testing.assert_allclose(interquartile_mean(values, axis=0), expected)


@given(NUMBERS)
def test_the_interval_lies_within_the_values(values: list[float]) -> None:
    low, high = bootstrap_interval(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for seed in range(100):
        low, high = bootstrap_interval(random.normal(size=40), level=0.9, seed=seed)
        covered += low <= 0 <= high
    assert 80 <= covered <= 97
