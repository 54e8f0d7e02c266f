"""A reader that leaves, or a full disk, takes what is printed; the work goes on and its files are written."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


class LastingStdout:
    """Passes everything on to a text file until that fails, then to nobody.

    Args:
        file: the file.

    Attributes:
        error: why something was lost; None: nothing was.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        """Write; return the number of characters."""
        self._try(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush."""
        self._try(self._file.flush)

    def _try(self, action: Any) -> None:
        if self.error is not None:
            return
        try:
            action()
        except OSError as error:
            self.error = error
            # What is buffered would be tried again, and complained of.
            with contextlib.suppress(OSError, ValueError):
                nobody = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nobody, self._file.fileno())
                os.close(nobody)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextlib.contextmanager
def lasting_stdout() -> Iterator[LastingStdout | None]:
    """In the block, what cannot be written to stdout is lost; yield what knows why (None: there is no stdout)."""
    if sys.stdout is None:
        yield None
        return
    lasting = LastingStdout(sys.stdout)
    with contextlib.redirect_stdout(cast(TextIO, lasting)):
        yield lasting
        lasting.flush()
