"""Timing several ways to do the same work in turns, so that a machine shared with others slows all of them."""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Timing(NamedTuple):
    """What one way took.

    Attributes:
        seconds: median of the turns.
        ratio: median of the turns' ratios to the first way's seconds, which is not the quotient of the medians.
    """

    seconds: float
    ratio: float


def add_timing_options(parser: argparse.ArgumentParser, turns: int) -> None:
    """Add ``--turns``, ``--threads`` and ``--clock``."""
    parser.add_argument("--turns", type=int, default=turns)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help='"cpu" on a shared machine')


def in_turns(ways: Mapping[str, Callable[[], object]], turns: int, clock: str) -> dict[str, Timing]:
    """Time every way once a turn.

    Args:
        ways: what to time, by name; the first is what the others are compared with.
        turns: that count; one more before them warms up. Each way comes first in its turn.
        clock: one of `CLOCKS`.

    Returns:
        The timing of each way, in the order given.
    """
    names = list(ways)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(turns + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            start = CLOCKS[clock]()
            ways[name]()
            elapsed = CLOCKS[clock]() - start
            if turn > 0:
                times[name].append(elapsed)
    reference = times[names[0]]
    return {
        name: Timing(
            statistics.median(values),
            statistics.median(own / other for own, other in zip(values, reference, strict=True)),
        )
        for name, values in times.items()
    }
