"""What an error of the operating system means, and what helps; only wrong bytes are damage."""

import errno
import os
import re
from pathlib import Path
from typing import Final

from rlld_gym.errors import InputError

_NO_LOCKS: Final = frozenset((errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP))
_LOCKED: Final = frozenset((errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK))
_HELP: Final[dict[int, str]] = {
    errno.ENOENT: "no such file or folder; check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder; check the path",
    errno.EEXIST: "something else is there: a file, or a link that leads nowhere; choose another name",
    errno.EISDIR: "is a folder; name a file",
    errno.ELOOP: "its links lead in a circle; check the path",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.EACCES: "no permission; ask its owner to let you read (and, to write, change) it and its folders",
    errno.EPERM: "not permitted here; ask its owner, or choose another place",
    errno.EROFS: "the file system cannot be written to (read-only); choose another place",
    errno.ENOSPC: "no space left on the device; make room, or choose another place",
    errno.EDQUOT: "your quota of disk space is used up; make room, or choose another place",
    errno.EFBIG: "larger than files may be there; choose another place",
    errno.EMFILE: "too many files are open in this process; raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine; close other programs",
    errno.ENOMEM: "not enough memory; close other programs",
    errno.EIO: "the device does not read or write as it should; check the disk and the mount",
    errno.ETXTBSY: "the file is being executed; choose another one",
}
_PLAIN: Final = frozenset((errno.ENOENT,))
"""Whose help says all."""
_ABOUT_LOCKS: Final = "unable to lock"
"""In HDF5's texts."""
_AWAY: Final = frozenset(
    getattr(errno, name)
    for name in (
        "ESTALE",
        "ENODEV",
        "ENXIO",
        "ENOTCONN",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ETIMEDOUT",
        "EREMOTEIO",
    )
    if hasattr(errno, name)
)


def error_number(error: BaseException) -> int | None:
    """Return the operating system's number of an error, also of one that only its text tells, as HDF5's do."""
    number = getattr(error, "errno", None)
    if isinstance(number, int):
        return number
    told = re.search(r"errno = (\d+)|\[Errno (\d+)\]|os error (\d+)", str(error))
    return int(next(filter(None, told.groups()))) if told else None


def is_about_locks(error: BaseException) -> bool:
    """Return whether an error is that a file system has no locks."""
    number = error_number(error)
    return number in _NO_LOCKS and _ABOUT_LOCKS in str(error)


def explain(error: BaseException) -> str | None:
    """Return what an error means and what helps, in one line; None where it is none of the operating system's."""
    number = error_number(error)
    if number is None:
        return None
    if number in _NO_LOCKS:
        return (
            f"the file system offers no locks ({os.strerror(number)}); set the environment variable "
            "HDF5_USE_FILE_LOCKING=FALSE, or copy the file to a local disk"
        )
    if number in _LOCKED or (number == errno.EACCES and _ABOUT_LOCKS in str(error)):
        return (
            f"another program has locked the file ({os.strerror(number)}); wait until it has ended; if there is "
            "none, set the environment variable HDF5_USE_FILE_LOCKING=FALSE"
        )
    if number in _AWAY:
        return f"{os.strerror(number)}: the device or network file system does not answer; is it mounted?"
    text, known = os.strerror(number), _HELP.get(number)
    if known is None:
        return f"{text} (error {number} of the operating system)"
    return known if number in _PLAIN else f"{text}: {known}"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error is that memory is used up: Python's, numpy's, or torch's, on a CPU or a GPU."""
    told = re.search(r"(can't|cannot) allocate memory|(not enough|out of) memory|bad_alloc", str(error), re.I)
    return isinstance(error, MemoryError) or told is not None


def one_line(error: BaseException, most: int = 200) -> str:
    """Return an error's text on one line, at most so many characters; its kind where it has no text."""
    return " ".join(f"{error}".split())[:most] or type(error).__name__


def require_readable(path: str | os.PathLike[str], what: str, remedy: str = "") -> None:
    """Raise InputError unless a file can be opened and read.

    Args:
        path: the file.
        what: should be there, for the message.
        remedy: how to get one, said where there is none; a file that the system refuses may be a good one.
    """
    expected = f"expected {what}" + (f"; {remedy}" if remedy else "")
    try:
        if Path(path).is_dir():
            raise InputError(f"{path}: a folder; {expected}")
        if Path(path).is_fifo():  # reading would wait, and what was read is gone
            raise InputError(f"{path}: a pipe, which is read only once; write it to a file; {expected}")
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise InputError(
            f"{path}: {explain(error)}; {expected if missing else f'expected {what}'}"
        ) from error
