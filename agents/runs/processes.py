"""Running works side by side in processes of this machine."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ctypes import c_double
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from rlld_agents.runs.orphans import serve_parent
from rlld_gym.errors import InputError
from rlld_gym.profiling import timed_part

Advance = Callable[[float], None]
"""Called with the number of works that have ended; running ones count in part."""

Share = Callable[[float], None]
"""Called with the share of a work that is done, in [0, 1]."""

Work = Callable[[Share], Any]
"""What runs in a process: pickles, as does its small result, and reports the share of it that is done."""

W = TypeVar("W", bound=Work)

POLL_SECONDS = 0.2
SECONDS_TO_END = 5.0


def available_cores() -> int:
    """Return the number of cores that this process may run on, at least 1: ``taskset`` and the like narrow them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Processes(Generic[W]):
    """Works that run in processes, some at a time, while the caller does something else.

    Processes are started afresh, because a forked one hangs where its parent used torch. Those that are running
    when the block ends are stopped.

    Args:
        works: what to run, in this order.
        workers: processes at a time; 0: none, everything is left to the caller.
        threads: of each process.
        serve_once: end a process with its work; otherwise it goes on with the next one, without starting again.

    Attributes:
        results: of the works that have ended; one that raised, or whose process was killed, has none.

    Raises:
        InputError: on entering, in a process that is only reading the script of the one that started it.
        Exception: from `wait`, or else at the end of the block: a work that does not pickle, no process to be had.
    """

    def __init__(self, works: Sequence[W], workers: int, threads: int, *, serve_once: bool = False) -> None:
        self.results: list[Any] = []
        self._waiting = list(works)
        self._running: list[_Server] = []
        self._ended = 0
        self._of_each, self._serve_once = threads, serve_once
        self._context = multiprocessing.get_context("spawn")
        self._changed = threading.Condition()  # guards all that the threads below share
        self._stopped = self._complete = False
        self._error: BaseException | None = None
        self._threads = [threading.Thread(target=self._hand_out, daemon=True) for _ in range(workers)]

    def __enter__(self) -> Self:
        if self._threads:
            _refuse_while_main_is_read()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            for server in self._running:
                server.kill()
        for thread in self._threads:
            thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def add(self, works: Sequence[W]) -> None:
        """Queue more."""
        with self._changed:
            self._waiting.extend(works)
            self._changed.notify_all()

    def take(self) -> W | None:
        """Return the first work that has not begun, which is left to the caller; None: all have."""
        with self._changed:
            return self._waiting.pop(0) if self._waiting else None

    def progress(self) -> float:
        """Return the number of works that have ended in a process; running ones count in part."""
        with self._changed:
            return float(self._ended + sum(server.share.value for server in self._running))

    @timed_part("waiting")
    def wait(self, advance: Advance) -> None:
        """Wait until all have ended, after which none can be added; ``advance`` is called with `progress` often."""
        with self._changed:
            self._complete = True
            self._changed.notify_all()
        for thread in self._threads:
            while thread.is_alive() and self._error is None:
                thread.join(POLL_SECONDS)
                advance(self.progress())
        if self._error is not None:
            raise self._error
        advance(self.progress())

    def _hand_out(self) -> None:
        """Keep one process busy until nothing is left (in a thread for each, so that none waits for another)."""
        try:
            while (work := self._next()) is not None:
                self._run_in_process(work)
        except BaseException as error:  # the caller's thread raises it
            with self._changed:
                self._error = self._error or error

    def _next(self) -> W | None:
        """Return the first work that has not begun, as soon as there is one; None: there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._complete or self._stopped)
            return None if self._stopped else self.take()

    def _run_in_process(self, work: W | None) -> None:
        """Start a process and let it do a work and, unless it is to serve once, all that is waiting then."""
        with self._changed:
            if self._stopped:
                return
            server = _Server(self._context, self._of_each)
            self._running.append(server)
        try:
            while work is not None:
                found = server.do(work)
                with self._changed:
                    self.results += found
                    self._ended += 1
                    server.share.value = 0.0
                    work = self.take() if found and not self._serve_once and not self._stopped else None
        finally:
            with self._changed:
                self._running.remove(server)
            server.stop()


class _Server:
    """A process that does one work after another."""

    def __init__(self, context: SpawnContext, threads: int) -> None:
        # Without a lock, which a process that is killed would keep; one process writes at a time.
        self.share = context.RawValue(c_double, 0.0)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.share), daemon=True)
        with _threads_of_children(threads):
            self._process.start()
        theirs.close()

    def do(self, work: Work) -> list[Any]:
        """Let the process do a work and return its result; nothing where there is none, because it was killed."""
        try:
            self._connection.send(work)  # waits until the process has started, if the work is large
            return [self._connection.recv()]
        except (EOFError, OSError):
            return []

    def kill(self) -> None:
        """End the process, whatever it does; who waits in `do` goes on."""
        self._process.terminate()

    def stop(self) -> None:
        """End the process and wait until it is gone."""
        self._connection.close()  # the process ends by itself, and puts away what it has
        self._process.join(SECONDS_TO_END)
        self._process.terminate()
        self._process.join()


def _refuse_while_main_is_read() -> None:
    """Raise InputError where a process that is starting reads its parent's script, and runs what stands there.

    It has its own name by then, but learns of its parent later.
    """
    name = multiprocessing.current_process().name
    if name != "MainProcess" and multiprocessing.parent_process() is None:
        raise InputError(
            "this script starts processes, which read it again, while it is read; expected it to start them "
            'under if __name__ == "__main__": only; put what it does there, or use one worker'
        )


@contextmanager
def _threads_of_children(number: int) -> Iterator[None]:
    """Let processes that the block starts compute with so many threads: read when a child loads torch."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(number)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _serve(connection: "Connection[Any, Any]", share: c_double) -> None:
    """Do works until the process is stopped; one that raises ends it."""
    serve_parent()

    def progress(value: float) -> None:
        share.value = value

    while True:
        try:
            work = connection.recv()
        except (EOFError, OSError):  # the parent is gone
            return
        result = work(progress)
        with suppress(OSError):  # likewise
            connection.send(result)
