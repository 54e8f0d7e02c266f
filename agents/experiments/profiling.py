"""Where the time of a run goes: seconds of data, task training, validation, policy and the rest.

The code names its parts where they happen (`rlld_gym.profiling.timed_part`); a `Profile` adds up what it is told
while it is active.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import torch

from rlld_agents.reports.results import markdown
from rlld_gym.profiling import recording, timed_part

REST = "rest"
WAITING = "waiting"
"""For other processes, which spend their own time."""

PARTS: Final = (
    "data",
    "task training",
    "validation",
    "policy",
    "environment",
    "figures",
    WAITING,
    REST,
)
"""What a profile tells apart. Where one part lies within another, its time is its own: a batch that is gathered in
a training epoch is data, not training; a training step within an environment's step is task training."""


class Profile:
    """Adds up the seconds of each part while it is active; may be entered again and again, but not within itself.

    Args:
        device: where the work is done; a GPU is waited for whenever a part begins or ends, which costs a little.

    Attributes:
        seconds: of each of `PARTS`, of this process's wall-clock time.
        elapsed: wall-clock seconds in which the profile was active.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.elapsed = 0.0
        self._device = device
        self._parts: list[str] = []
        self._since = 0.0

    @contextmanager
    def active(self) -> Iterator[None]:
        """Time the block: its parts, and all else as the rest."""
        start = time.perf_counter()
        try:
            with recording(self), timed_part(REST):
                yield
        finally:
            self.elapsed += time.perf_counter() - start

    def begin(self, part: str) -> None:
        """Count what follows as a part, up to parts within it."""
        self._switch()
        self._parts.append(part)

    def end(self) -> None:
        """Go on with the part around the one that began last."""
        self._switch()
        self._parts.pop()

    def _switch(self) -> None:
        """Give the time since the last switch to the part that it was spent in."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        if self._parts:
            self.seconds[self._parts[-1]] += now - self._since
        self._since = now


def total_seconds(processes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the seconds that processes spent on each part together, without waiting for each other."""
    return {part: sum(seconds[part] for seconds in processes) for part in PARTS if part != WAITING}


def profile_table(seconds: Mapping[str, float]) -> str:
    """Return seconds and shares of the parts as a Markdown table; parts that took no time are left out."""
    total = sum(seconds.values())
    parts = {**{name: value for name, value in seconds.items() if value > 0}, "total": total}
    rows = [[name, f"{value:.2f}", f"{100 * value / (total or 1.0):.1f} %"] for name, value in parts.items()]
    return markdown(["part", "seconds", "share"], rows)
