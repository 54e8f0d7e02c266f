"""Parts of a program whose time can be measured, named where they happen.

    with timed_part("validation"):
        ...

A part costs nothing to speak of, and waits for nothing, unless somebody records (`recording`), as ``rlld train
--profile`` does.
"""

from collections.abc import Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar
from typing import Protocol


class Recorder(Protocol):
    """Who wants to know when parts begin and end; parts may lie within each other."""

    def begin(self, part: str) -> None:
        """Take note that a part begins."""

    def end(self) -> None:
        """Take note that the part ends that began last."""


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


class timed_part(ContextDecorator):
    """A block, or as a decorator each call of a function, that counts as a part. Not for generators.

    Args:
        name: "data", "task training", "validation", "environment", "policy", "figures", "waiting", ...
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        if (recorder := _recorder.get()) is not None:
            recorder.begin(self.name)

    def __exit__(self, *_: object) -> None:
        if (recorder := _recorder.get()) is not None:
            recorder.end()


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """Tell a recorder of the parts of the block; other threads are not recorded."""
    token = _recorder.set(recorder)
    try:
        yield
    finally:
        _recorder.reset(token)
