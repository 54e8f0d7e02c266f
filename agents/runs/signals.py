"""An orderly end where the system asks for one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

ASKING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals of ``timeout``, ``docker stop``, ``scancel``, and of a terminal that is closed."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end: what Ctrl-C stops in order, this stops, too."""


@contextmanager
def orderly_end() -> Iterator[None]:
    """Raise Terminated in the block when the process is asked to end, so that files and processes are put away.

    Signals that are ignored already (``nohup``) stay so. In a thread other than the main one, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ASKING}
    for number, handler in before.items():
        if handler == signal.SIG_DFL:
            signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, handler)


def _raise(number: int, _: FrameType | None) -> None:
    for asking in ASKING:  # the end takes its time, but it has begun
        signal.signal(asking, signal.SIG_IGN)
    raise Terminated
