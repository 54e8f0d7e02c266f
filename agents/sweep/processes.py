"""Running cells, or any other work, side by side in processes of this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from .cells import Cell, Progress, run_or_explain

Advance = Callable[[float], None]
Work = Callable[[Progress], Any]
"""What runs in a process: pickles, as does its small result, and reports the share of it that is done."""

W = TypeVar("W", bound=Work)

POLL_SECONDS = 0.2


def run_in_processes(cells: Sequence[Cell], folder: Path, workers: int, advance: Advance) -> None:
    """Run cells, each in a process of its own, ``workers`` at a time.

    Each process takes its share of the cores. A cell that fails leaves a report in the folder and does not stop
    the others.

    Args:
        cells: what to run.
        folder: of the study.
        workers: processes at a time.
        advance: called with the number of cells that have ended; running ones count in part.

    Raises:
        KeyboardInterrupt: after Ctrl-C, when all processes have been stopped.
    """
    works = [partial(run_or_explain, cell, folder) for cell in cells]
    threads = max(1, (os.cpu_count() or 1) // workers)
    # None serves twice: a cell reports the peak of its process's memory.
    with Processes(works, workers, threads, serve_once=True) as processes:
        processes.wait(advance)


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
    """

    def __init__(self, works: Sequence[W], workers: int, threads: int, *, serve_once: bool = False) -> None:
        self.results: list[Any] = []
        self._waiting = list(works)
        self._running: list[_Server] = []
        self._ended = 0
        self._workers, self._threads, self._serve_once = workers, threads, serve_once
        self._context = multiprocessing.get_context("spawn")
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._complete = False
        self._thread = threading.Thread(target=self._keep_running, daemon=True)

    def __enter__(self) -> Self:
        if self._workers:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._workers:
            self._thread.join()
        for server in self._running:
            server.stop()

    def add(self, works: Sequence[W]) -> None:
        """Queue more."""
        with self._lock:
            self._waiting.extend(works)

    def take(self) -> W | None:
        """Return the first work that has not begun, which is left to the caller; None: all have."""
        with self._lock:
            return self._waiting.pop(0) if self._waiting else None

    def progress(self) -> float:
        """Return the number of works that have ended in a process; running ones count in part."""
        with self._lock:
            return float(self._ended + sum(server.share.value for server in self._running))

    def wait(self, advance: Advance) -> None:
        """Wait until all have ended, after which none can be added; ``advance`` is called with `progress` often."""
        self._complete = True
        while self._thread.is_alive():
            self._thread.join(POLL_SECONDS)
            advance(self.progress())

    def _keep_running(self) -> None:
        """Hand out what is waiting, until nothing is left (in a thread of its own)."""
        while not self._stopped.is_set():
            with self._lock:
                for server in [server for server in self._running if server.has_ended()]:
                    self._ended += 1
                    found = server.results()
                    self.results += found
                    if found and self._waiting and not self._serve_once:
                        server.give(self._waiting.pop(0))
                    else:
                        server.stop()
                        self._running.remove(server)
                while self._waiting and len(self._running) < self._workers:
                    self._running.append(_Server(self._context, self._waiting.pop(0), self._threads))
                if self._complete and not self._running:
                    return
            self._stopped.wait(POLL_SECONDS)


class _Server:
    """A process that does one work after another."""

    def __init__(self, context: SpawnContext, work: Work, threads: int) -> None:
        self.share = context.Value("d", 0.0)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.share), daemon=True)
        with _threads_of_children(threads):
            self._process.start()
        theirs.close()
        self.give(work)

    def give(self, work: Work) -> None:
        """Let the process, which has nothing to do, do a work."""
        self.share.value = 0.0
        with suppress(OSError):  # it was killed, which the next look at the connection tells
            self._connection.send(work)

    def has_ended(self) -> bool:
        """Return whether the work is done, or the process gone."""
        return self._connection.poll()

    def results(self) -> list[Any]:
        """Return the result of the work that has ended; nothing where there is none."""
        try:
            return [self._connection.recv()]
        except (EOFError, OSError):
            return []

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._connection.close()
        self._process.terminate()
        self._process.join()


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


def _serve(connection: "Connection[Any, Any]", share: "Synchronized[float]") -> None:
    """Do works until the process is stopped; one that raises ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides

    def progress(value: float) -> None:
        share.value = value

    with suppress(EOFError):  # the parent is gone
        while True:
            connection.send(connection.recv()(progress))
