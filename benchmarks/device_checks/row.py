"""What a check is given, and what it says."""

import time
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        what: was checked or measured.
        found: the figure.
        expected: what it should be; empty where nothing is expected.
        verdict: "ok", "FAILS", "measured", or "not run" with the reason.
    """

    what: str
    found: str
    expected: str
    verdict: str


@dataclass(frozen=True)
class Scope:
    """How much is checked.

    Attributes:
        device: torch device.
        quick: small data and few turns.
        deadline: `time.monotonic` after which no check is started.
    """

    device: str
    quick: bool
    deadline: float

    @property
    def data(self) -> str:
        """The data set at the smaller width."""
        return "twin-tiny" if self.quick else "twin-small"

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the task network."""
        return (16,) if self.quick else (64, 512)

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.deadline - time.monotonic()

    def wait(self) -> None:
        """Wait until the device has done what it was asked to."""
        if self.device != "cpu":
            torch.cuda.synchronize()


def judged(what: str, found: float, limit: float) -> Row:
    """Return a row about a difference that must not exceed a limit."""
    return Row(what, f"{found:.2e}", f"at most {limit:.0e}", "ok" if found <= limit else "FAILS")
