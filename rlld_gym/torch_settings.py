"""The settings of torch that this package computes with, whatever those of the program around it are."""

import os
import threading
from collections.abc import Iterator
from contextlib import ContextDecorator, ExitStack, contextmanager
from typing import Self

import torch


class own_torch_settings(ContextDecorator):
    """A block, or as a decorator each call of a function, that computes as in a program that has set nothing.

    In it gradients can be taken, autocast is off, and what says no device or dtype is on the CPU and float32. The
    settings of the program come back afterwards. Not for generators.

    torch keeps all of these for each thread but the default dtype, which is the process's: where a program has
    changed it, other threads see float32, too, while such a block runs. Settings of the process that leave our
    numbers alone are not touched: deterministic algorithms, numbers of threads, TF32.
    """

    def __init__(self) -> None:
        self._undo = ExitStack()

    def _recreate_cm(self) -> Self:
        """Return one for a call of a decorated function, which may be called again before it returns."""
        return type(self)()

    def __enter__(self) -> None:
        undo = self._undo
        undo.enter_context(torch.inference_mode(False))  # also ends a no_grad
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                undo.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            undo.enter_context(torch.device("cpu"))
        if torch.get_default_dtype() != torch.float32 or _dtype.users:
            undo.enter_context(_dtype.float32())

    def __exit__(self, *_: object) -> None:
        self._undo.close()


class _DefaultDtype:
    """The process's default dtype, float32 as long as anyone needs that."""

    def __init__(self) -> None:
        self.users = 0
        self._of_the_program = torch.float32
        self._lock = threading.Lock()

    @contextmanager
    def float32(self) -> Iterator[None]:
        """Let it be float32 until the last of those that run side by side has ended."""
        with self._lock:
            if self.users == 0:
                self._of_the_program = torch.get_default_dtype()
                torch.set_default_dtype(torch.float32)
            self.users += 1
        try:
            yield
        finally:
            with self._lock:
                self.users = max(0, self.users - 1)
                if self.users == 0:
                    torch.set_default_dtype(self._of_the_program)

    def forget(self) -> None:
        """Begin anew in a forked process, which has none of its parent's other threads."""
        if self.users:
            torch.set_default_dtype(self._of_the_program)
        self.users, self._lock = 0, threading.Lock()


_dtype = _DefaultDtype()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_dtype.forget)
