"""Processes that end with the one that started them."""

import os
import signal
import threading
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import Final

SECONDS_BETWEEN_LOOKS: Final = 1.0


def serve_parent() -> None:
    """Leave Ctrl-C to the parent, and end this process when the parent is gone, however it ended.

    To be called first in a process that `multiprocessing` started.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(number: int) -> None:
    """Wait for the end of the parent, the process of this number."""
    parent = parent_process()
    assert parent is not None
    # Other children of the parent may hold its end of the pipe open, so the number is looked at, too.
    while not wait([parent.sentinel], SECONDS_BETWEEN_LOOKS) and os.getppid() == number:
        pass
    os._exit(1)
