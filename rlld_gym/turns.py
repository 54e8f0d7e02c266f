"""What the threads of a process must do one after the other."""

import os
import threading
from contextlib import ContextDecorator


class in_turn(ContextDecorator):
    """A block, or as a decorator each call of a function, that one thread at a time is in.

    For what is made once and shared (data sets, the parsers that episodes start from) and for what borrows a state
    of the process. There is one lock for all of these, because one is made with the other, and two locks could wait
    for each other; a thread that holds it may come again.
    """

    _lock = threading.RLock()

    def __enter__(self) -> None:
        in_turn._lock.acquire()

    def __exit__(self, *_: object) -> None:
        in_turn._lock.release()

    @classmethod
    def forget(cls) -> None:
        """Take a new lock in a forked process, where nobody would ever release the one that it inherits."""
        cls._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=in_turn.forget)
