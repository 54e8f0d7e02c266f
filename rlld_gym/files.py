"""Writing files so that no reader ever sees half of one, and JSON that knows whether it was changed."""

import csv
import hashlib
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rlld_gym.errors import InputError
from rlld_gym.os_errors import explain, require_readable

CHECKSUM: Final = "checksum"
"""Entry of a sealed JSON file: of all others."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it over ``path`` on success, remove it on failure.

    The file has the mode that the umask gives to new files, whatever its writer does. Where ``path`` is a link, the
    file that it leads to is written, and the link stays.

    Args:
        path: the final file. Missing parent folders are made.

    Yields:
        A path in the same folder, ending in ``.partial``, that the caller writes.

    Raises:
        InputError: ``path`` is a folder.
        OSError: the file cannot be written.
    """
    final = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)
    if final.is_dir():
        raise InputError(f"{path}: Is a directory; name a file")
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(final)
    try:
        temporary.touch()
        mode = temporary.stat().st_mode & 0o7777
        yield temporary
        if temporary.stat().st_mode & 0o7777 != mode:  # safetensors keeps its files to their owner
            temporary.chmod(mode)
        os.replace(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a new folder beside ``path``; rename it to ``path`` on success, remove it on failure.

    Args:
        path: the final folder, which must not be there yet. Missing parent folders are made.

    Yields:
        A folder that ends in ``.partial``, for the caller to fill.

    Raises:
        InputError: something is at ``path``.
        OSError: the folder cannot be made.
    """
    final = Path(path)
    if os.path.lexists(final):
        raise InputError(f"{path}: is there already; name a new folder")
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(final)
    temporary.mkdir()
    try:
        yield temporary
        os.rename(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(final: Path) -> Path:
    """Return a name beside a path, with the process in it, which no writer has on another machine either."""
    return final.with_name(f"{final.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, atomically; names of files that are no UTF-8 keep their bytes."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV, each ended by a line feed; a field with a line end of any kind in it is quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # what it ends lines with, and only that, it also quotes
    lines = []
    for row in rows:
        writer.writerow(row)
        lines.append(text.getvalue().removesuffix("\r\n") + "\n")
        text.seek(0)
        text.truncate()
    return "".join(lines)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` to ``path`` as indented JSON, atomically; NaN and infinity raise ValueError."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_sealed_json(path: str | os.PathLike[str], values: Mapping[str, Any]) -> None:
    """Write a JSON object with a checksum of its entries, atomically."""
    plain = json.loads(
        json.dumps(dict(values), allow_nan=False)
    )  # as it is read: lists, keys that are strings
    write_json(path, {**plain, CHECKSUM: checksum_of(plain)})


def read_json(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """Return the object in a JSON file, without its checksum, which must be right if it is there.

    Args:
        path: the file.
        what: it is, for messages, such as "the configuration of a run".

    Raises:
        InputError: the file cannot be read, is no JSON object, or was changed after it was written.
    """
    require_readable(path, what)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {explain(error)}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not {what} but no text at all ({error}); the file is damaged") from error
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); expected {what}; the file is damaged") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: not {what}, but JSON of another kind; expected an object")
    stored = values.pop(CHECKSUM, None)
    if stored is not None and stored != checksum_of(values):
        raise InputError(
            f"{path}: was changed after it was written (its checksum differs); restore it, or, if you changed it "
            f'yourself, delete its line "{CHECKSUM}"'
        )
    return values


def checksum_of(values: Any) -> str:
    """Return a checksum, 16 hexadecimal digits, of JSON-able values; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
