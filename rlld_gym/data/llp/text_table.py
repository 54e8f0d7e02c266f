"""Tables as text: rows with their line numbers, and one message for all rows with the same defect."""

import csv
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any, Final

from rlld_gym.errors import InputError

_SHOWN: Final = 3


def read_table(path: Path, columns: tuple[str, ...], subject: str) -> list[tuple[int, list[str]]]:
    """Return (1-based line, fields) of the data rows; blank lines are skipped.

    Columns are separated by tabs, without quoting, as in LLP's files, or by commas, with quoting, where the header
    has no tab.

    Args:
        path: the file.
        columns: names of the columns, as in its first line.
        subject: what a row stands for, for messages.

    Raises:
        InputError: not UTF-8, wrong header or number of columns, or no rows.
    """
    text = read_text(path)
    commas = is_comma_separated(text)
    dialect: dict[str, Any] = {"strict": True} if commas else {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    reader = csv.reader(StringIO(text, newline=None), **dialect)
    try:
        rows = [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        kind = "comma-separated" if commas else "tab-separated"
        raise InputError(f"{path} line {reader.line_num}: {error}; expected {kind} text") from error
    expected = f"{len(columns)} columns separated by {'commas' if commas else 'tabs'}: {' '.join(columns)}"
    if not rows:
        raise InputError(f"{path}: empty file; expected a header line with {expected}")
    (line, header), *data = rows
    if tuple(header) != columns:
        raise InputError(f"{path} line {line}: wrong header {shorten(repr(header))}; expected {expected}")
    if not data:
        raise InputError(f"{path}: no rows below the header; expected one row per {subject}")
    wrong = ((number, f"{len(fields)}") for number, fields in data if len(fields) != len(columns))
    refuse(path, wrong, "wrong number of columns", expected)
    return data


def is_comma_separated(text: str) -> bool:
    """Return whether the columns of a table are separated by commas, with quoting: its header has no tab."""
    header = text.split("\n", 1)[0]
    return "\t" not in header and "," in header


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without a byte order mark; InputError where it cannot be read."""
    try:
        raw = path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a readable file") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path} line {line}: not UTF-8 text; save the file as UTF-8") from error


def refuse(path: Path, problems: Iterable[tuple[int, str]], what: str, expected: str) -> None:
    """Raise one InputError for all ``problems`` (line, found) of one kind, if any, quoting the first few."""
    found = list(problems)
    if not found:
        return
    shown = "; ".join(f"line {line}: {shorten(text)}" for line, text in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise InputError(f"{path}: {what}: {shown}{more}; expected {expected}")


def shorten(text: str, length: int = 120) -> str:
    """Return a text of at most ``length`` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."
