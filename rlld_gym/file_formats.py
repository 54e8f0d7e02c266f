"""Files that say of themselves what they are, and in which version: written so, and checked in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlld_gym.errors import InputError
from rlld_gym.files import read_json


@dataclass(frozen=True)
class FileFormat:
    """A kind of file, whose entry "format" is the kind's name.

    Attributes:
        name: of the kind.
        version: of what its files hold; files of another one are refused. None: they name none.
        what: it is, for messages, such as "the configuration of a run".
        remedy: what to do about a file that is of another kind.
        version_key: the entry that holds the version.
    """

    name: str
    version: int | None
    what: str
    remedy: str
    version_key: str = "version"

    @property
    def head(self) -> dict[str, Any]:
        """The entries by which a file says what it is."""
        return {"format": self.name, **({} if self.version is None else {self.version_key: self.version})}

    def check(self, entries: Mapping[str, Any], place: object) -> None:
        """Check what a file says that it is.

        Args:
            entries: of the file. Versions may be texts, where a file holds nothing else.
            place: the file, as messages name it.

        Raises:
            InputError: it is of another kind, or of another version.
        """
        found = entries.get("format")
        if found != self.name:
            raise InputError(
                f"{place}: not {self.what} (format {found!r}; expected {self.name!r}); {self.remedy}"
            )
        version = entries.get(self.version_key)
        if self.version is not None and str(version) != str(self.version):
            raise InputError(f"{place}: format version {version}; expected {self.version}; upgrade rlld-gym")

    def read_json(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Return the object in a JSON file of this kind.

        Raises:
            InputError: as `rlld_gym.files.read_json` and `check` raise it.
        """
        entries = read_json(path, self.what)
        self.check(entries, path)
        return entries
