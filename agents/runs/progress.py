"""Counting epochs of a work in several parts, for one progress bar."""

from collections.abc import Callable

ReportEpochs = Callable[[int, int], None]
"""Called with (epochs done, epochs in all)."""


class EpochProgress:
    """Turns the epochs of parts into those of the whole.

    Args:
        total: epochs of the whole, at most.
        report: called after every epoch; None: nobody asks.
    """

    def __init__(self, total: int, report: ReportEpochs | None) -> None:
        self._total, self._report, self._done = total, report, 0

    def advance(self) -> None:
        """Count an epoch."""
        self._done += 1
        if self._report is not None:
            self._report(self._done, self._total)

    def part(self, epochs: int) -> ReportEpochs | None:
        """Return what a part of so many epochs reports to; what comes next is counted from its end on."""
        report, before, total = self._report, self._done, self._total
        self._done += epochs
        return None if report is None else lambda done, _: report(before + done, total)

    def finish(self) -> None:
        """Jump to the end, past the epochs that early stopping saved."""
        if self._done < self._total:
            self._done = self._total - 1
            self.advance()
