"""Messages to nobody: a run does not end because its stderr was closed, or because its log's disk is full."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast


@contextlib.contextmanager
def forgiving_stderr() -> Iterator[None]:
    """In the block, what cannot be written to stderr is lost, and nothing else."""
    with open(os.devnull, "w", encoding="utf-8") as nobody:
        target = sys.stderr if sys.stderr is not None else nobody
        with contextlib.redirect_stderr(cast(TextIO, _Forgiving(target))):
            yield


class _Forgiving:
    """Passes everything on to a text file, and takes no offence.

    Args:
        file: the file.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        """Write; return the number of characters."""
        with contextlib.suppress(OSError, ValueError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush."""
        with contextlib.suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
