"""What there is to say about a video that is not as asked, and the list of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rlld_gym.errors import InputError
from rlld_gym.files import write_text

Kind = Literal["shorter", "longer", "no sound", "short sound", "damaged", "failed"]
"""All but "failed", which has no features, were dealt with as `Note.detail` says."""

NOTES_FILE: Final = "notes.tsv"


@dataclass(frozen=True)
class Note:
    """One thing that was found in a video, and what was done.

    Attributes:
        video: name of the file, without its ending.
        kind: what it is.
        detail: what was found and done, on one line.
    """

    video: str
    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"{self.video}  {self.kind}: {self.detail}"


class UndecodableVideoError(InputError):
    """A file in which there is no picture to be had; the message says why."""


def append_notes(path: Path, notes: Iterable[Note]) -> None:
    """Add notes to the list that `write_notes` wrote: they are there even if the process is killed next."""
    with path.open("a", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{_row(note)}\n" for note in notes)


def write_notes(path: Path, notes: Mapping[str, Iterable[Note]]) -> None:
    """Write notes by video as a table: video, kind, detail; an old list of other videos is kept."""
    now = {_word(video): [_row(note) for note in found] for video, found in notes.items()}
    rows = _read(path) | now
    lines = [row for video in sorted(rows) for row in rows[video]]
    write_text(path, "\n".join(["video\tkind\tdetail", *lines]) + "\n")


def _row(note: Note) -> str:
    return "\t".join((_word(note.video), note.kind, _word(note.detail)))


def _word(text: str) -> str:
    """Return a text that stays in its field: names of files may hold tabs and ends of lines."""
    return " ".join(text.split())


def _read(path: Path) -> dict[str, list[str]]:
    """Return the rows of a list that is there, by video; half a row, of a machine that went down, is left out."""
    rows: dict[str, list[str]] = {}
    if path.is_file():
        for row in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()[1:]:
            if row.count("\t") == 2:
                rows.setdefault(row.partition("\t")[0], []).append(row)
    return rows
