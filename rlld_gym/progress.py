"""How far a work is, on stderr: a bar where somebody watches, a line every so often in a log file."""

import importlib
import os
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from tqdm import tqdm

SECONDS_BETWEEN_LINES: Final = 30.0
"""In a log file; the environment variable TQDM_MININTERVAL says otherwise."""


class ProgressBar:
    """Counts a work and shows it: a tqdm bar in a terminal, an output of a notebook's cell, elsewhere lines.

    Bars fit into the window, however narrow. Nothing is shown where the environment variable TQDM_DISABLE is set,
    and nothing that goes wrong with showing (stderr was closed, its disk is full) reaches the work.

    Args:
        total: units in all; None: not known.
        unit: what is counted, in the singular.
        name: of the work.
        initial: units that were done before.
        shown: False counts only.
        delay: seconds before a bar appears.
        leave: keep the bar when the work is done.
        lines: also show lines where nobody watches.
        decimals: of the count.

    Attributes:
        n: units that are done, counted whether they are shown or not.
    """

    def __init__(
        self,
        total: float | None,
        unit: str,
        name: str = "",
        *,
        initial: float = 0,
        shown: bool = True,
        delay: float = 0.0,
        leave: bool = True,
        lines: bool = True,
        decimals: int = 0,
    ) -> None:
        self.n = initial
        self.total, self.unit, self.name = total, unit, name
        self._initial, self._decimals, self._note = initial, decimals, ""
        self._start = self._last_line = time.monotonic()
        self._delay, self._written = delay, False
        shown = shown and not _disabled()
        watched = _is_watched()
        self._bar = self._make_bar(leave) if shown and watched else None
        self._lines = shown and lines and not watched
        self._interval = _seconds_between_lines()

    def update(self, units: float = 1) -> None:
        """Count more units."""
        self.n += units
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.update(units)
        elif self._lines and time.monotonic() - self._last_line >= self._interval:
            self._write_line()

    def update_to(self, units: float) -> None:
        """Count so many units in all."""
        self.update(units - self.n)

    def note(self, text: str) -> None:
        """Show a text beside the count from now on."""
        self._note = text
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.set_postfix_str(text, refresh=False)

    def close(self) -> None:
        """Show the end; a second call does nothing."""
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.close()
        elif self._lines and (self._written or time.monotonic() - self._start >= self._delay):
            self._write_line()
        self._bar, self._lines = None, False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_bar(self, leave: bool) -> "tqdm[Any] | None":
        from tqdm import tqdm  # noqa: PLC0415 (only where somebody watches)

        class Bar(tqdm):  # type: ignore[type-arg]
            """Has a lock of its own: tqdm's is a semaphore, which a process that is ended leaves behind."""

        Bar.set_lock(threading.RLock())
        form: dict[str, Any] = {}
        if self.total is not None:
            number = f"{{n:.{self._decimals}f}}/{{total:.{self._decimals}f}}"
            form["bar_format"] = (
                f"{{l_bar}}{{bar}}| {number} {{unit}}s [{{elapsed}}<{{remaining}}{{postfix}}]"
            )
        with suppress(OSError, ValueError):
            return Bar(
                total=self.total,
                initial=self.n,
                unit=self.unit,
                desc=self.name or None,
                delay=self._delay,
                leave=leave,
                file=_NotebookLine() if _in_notebook() else sys.stderr,
                disable=False,
                dynamic_ncols=True,
                colour=None,
                **form,
            )
        return None

    def _write_line(self) -> None:
        self._last_line, self._written = time.monotonic(), True
        elapsed = self._last_line - self._start
        count = f"{self.n:.{self._decimals}f}"
        parts = [f"{count} {self.unit}s"]
        if self.total is not None:
            parts = [f"{count} of {self.total:.{self._decimals}f} {self.unit}s"]
            if self.total:
                parts[0] += f" ({100 * self.n / self.total:.0f} %)"
        parts.append(f"{_clock(elapsed)} elapsed")
        if self.total is not None and self.total > self.n > self._initial:
            parts.append(f"{_clock(elapsed * (self.total - self.n) / (self.n - self._initial))} left")
        text = ", ".join([*parts, *filter(None, [self._note])])
        with suppress(OSError, ValueError):
            print(f"{self.name}: {text}" if self.name else text, file=sys.stderr, flush=True)


class _NotebookLine:
    """A file for tqdm: what is written after the last carriage return is the one line of an output of the cell.

    Written to stderr, every refresh of a bar would be a line of its own in a notebook that is run by a program.
    """

    encoding = "utf-8"

    def __init__(self) -> None:
        self._text = self._shown = ""
        self._handle: Any = None

    def write(self, text: str) -> None:
        """Take a text; carriage returns begin the line anew."""
        self._text = (self._text + text).rpartition("\r")[2]

    def flush(self) -> None:
        """Show the line in place of what was shown before."""
        line = self._text.rstrip()
        if line == self._shown:
            return
        self._shown, content = line, {"text/plain": line}
        if self._handle is None:
            ipython: Any = importlib.import_module("IPython.display")  # whoever has a notebook has it
            self._handle = ipython.display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


def _in_notebook() -> bool:
    """Return whether stderr is a cell of a notebook."""
    return type(sys.stderr).__module__.startswith("ipykernel.")


def _is_watched() -> bool:
    """Return whether stderr is a terminal or a cell of a notebook, where a line can be written over."""
    if sys.stderr is None:
        return False
    if _in_notebook():
        return True
    try:
        return sys.stderr.isatty()
    except ValueError:  # closed
        return False


def _disabled() -> bool:
    return os.environ.get("TQDM_DISABLE", "").lower() not in ("", "0", "false")


def _seconds_between_lines() -> float:
    try:
        return float(os.environ["TQDM_MININTERVAL"])
    except (KeyError, ValueError):
        return SECONDS_BETWEEN_LINES


def _clock(seconds: float) -> str:
    """Return a time as people read it, 1:05 or 2:00:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
