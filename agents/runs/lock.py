"""One writer for a folder at a time."""

import errno
import json
import os
import re
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from rlld_agents.runs.folder import CONFIG_NAME, LOCK_NAME, check_new
from rlld_gym.errors import InputError

_NO_LOCKS: Final = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
"""What file systems answer that cannot lock."""

_UNFINISHED: Final = re.compile(r"\.\d+(\.[0-9a-f]+)?\.partial$")
"""Names under which `rlld_gym.files.atomic_path` begins files, with the process in them."""

_held: ContextVar[frozenset[Path]] = ContextVar("held_folders", default=frozenset())


@contextmanager
def only_writer(folder: str | os.PathLike[str]) -> Iterator[bool]:
    """Be the only one that writes to a folder, which is made if it is missing.

    The lock is the operating system's: it ends with its process, however that ends, and the next one takes over;
    what the dead one had begun to write is removed. A block within the same thread's block for the same folder is
    part of that. Where the block leaves a folder empty that it made, it is removed.

    Args:
        folder: the folder.

    Yields:
        Whether the last writer was killed there: it may have left half of its files.

    Raises:
        InputError: another process, or another thread of this one, is writing there; it says which.
        OSError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    place = Path(os.path.realpath(folder))
    if place in _held.get():
        yield False
        return
    with ExitStack() as stack:
        for part in reversed((folder, *folder.parents)):  # undone from the innermost outwards
            if not part.exists():
                stack.callback(_remove_if_empty, part)
        folder.mkdir(parents=True, exist_ok=True)
        taken_over = _lock(stack, folder)
        _remove_unfinished(folder)
        token = _held.set(_held.get() | {place})
        stack.callback(_held.reset, token)
        yield taken_over


@contextmanager
def run_folder(command: str, default: Path, *, out: Path | None, resume: Path | None) -> Iterator[Path]:
    """Be the only writer of the folder of a new run, or of one that is resumed.

    Args:
        command: what makes and resumes such runs, "rlld train".
        default: folder of a new run where none is named; where it holds something, NAME-2, NAME-3, ... is taken.
        out: folder that was named for a new run.
        resume: folder of the run to go on with.

    Yields:
        The folder.

    Raises:
        InputError: the folder cannot be a new run's, see `check_new`, or another process writes there.
        KeyboardInterrupt: of the block, with the command that goes on as its text, if the run has begun.
    """
    with ExitStack() as stack:
        if resume is not None:
            folder = resume
            stack.enter_context(only_writer(folder))
        else:
            folder = _take_free(stack, out or default, command, may_rename=out is None)
        try:
            yield folder
        except KeyboardInterrupt as interruption:
            begun = (folder / CONFIG_NAME).exists()
            hint = [f"{command} --resume {shlex.quote(str(folder))}"] if begun else []
            raise type(interruption)(*hint) from interruption


def _take_free(stack: ExitStack, folder: Path, command: str, *, may_rename: bool) -> Path:
    """Lock a folder that can be a new run's until the stack is closed, and return it."""
    for number in count(1):
        chosen = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with ExitStack() as lock:
            try:
                check_new(chosen, command)
                lock.enter_context(only_writer(chosen))
                check_new(chosen, command)  # another one may have come and gone in between
            except InputError:
                if not may_rename:
                    raise
                continue
            stack.push(lock.pop_all())
        break
    if chosen != folder:
        print(f"rlld: {folder} is taken; this run is in {chosen}", file=sys.stderr)
    return chosen


def _lock(stack: ExitStack, folder: Path) -> bool:
    """Lock a folder until the stack is closed, and say in the lock's file who did.

    Returns:
        Whether the lock was left by a process that was killed.
    """
    path = folder / LOCK_NAME
    left = path.exists()
    lock = FileLock(path, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            f"{folder}: {_owner(path)} is writing there; wait until it ends, or choose another folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        path.unlink(missing_ok=True)
        print(
            f"rlld: warning: {folder}: the file system has no locks; see to it that nothing else writes there",
            file=sys.stderr,
        )
        return False
    stack.callback(lock.release)
    stack.callback(path.unlink, missing_ok=True)  # before the release: a waiting process notices
    with suppress(OSError):  # on a full disk: the lock holds all the same
        path.write_text(json.dumps(_self_description()), encoding="utf-8")
    return left


def _self_description() -> dict[str, Any]:
    return {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _owner(path: Path) -> str:
    """Return who holds a lock, in words."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return "process {process} on {host} ({command}, since {since})".format(**found)
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _remove_unfinished(folder: Path) -> None:
    """Remove files that a writer before had begun when it was ended."""
    for path in (*folder.glob("*.partial"), *folder.glob("*/*.partial")):
        if _UNFINISHED.search(path.name):
            with suppress(OSError):
                path.unlink()


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
