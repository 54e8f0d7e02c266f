"""Whether torch can compute in this process, if it was forked from one that used torch."""

import os
import signal
import time
from typing import Final

import torch

from rlld_gym.errors import InputError

SECONDS: Final = 20.0
"""A child of this process has this time for what takes milliseconds where it works."""

_unknown = False
"""This process was forked, and has not tried yet."""


def _note_fork() -> None:
    global _unknown  # noqa: PLW0603 (os.register_at_fork offers no other way)
    _unknown = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def require_threads() -> None:
    """Check that work can be shared among threads here.

    OpenMP's threads are not there any more in a process that was forked after they had worked, and torch waits for
    them for ever. Whether that is so only an attempt can tell: a child of this process makes it.

    Raises:
        InputError: torch would hang.
    """
    global _unknown  # noqa: PLW0603
    if not _unknown or torch.get_num_threads() == 1:
        return
    if not _succeeds(SECONDS):
        raise InputError(
            "this process was forked from one that used torch, where torch hangs; start processes afresh, as by "
            'gymnasium.make_vec(..., vectorization_mode="async", vector_kwargs={"context": "forkserver"}), or set '
            "OMP_NUM_THREADS=1"
        )
    _unknown = False


def _succeeds(seconds: float) -> bool:
    """Return whether a forked child can compute with several threads in time."""
    child = os.fork()
    if child == 0:
        torch.ones(2**20).exp_().sum()
        os._exit(0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return True
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
