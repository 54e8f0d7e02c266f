"""What ``rlld data import`` and ``rlld data extract --store`` share: what a store takes of annotation files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from rlld_gym.errors import InputError

if TYPE_CHECKING:
    from rlld_gym.data.llp.npy_scan import FileProblem


@dataclass(frozen=True)
class StoreOptions:
    """Options of a store's labels, and of how its features are kept."""

    dtype: Literal["float16", "float32"] = "float16"
    """How features are stored; float16 halves the file and refuses values beyond 65504."""
    strict: tyro.conf.FlagCreatePairsOff[bool] = False
    """Refuse annotation files with broken rows instead of repairing them."""
    limit: int | None = None
    """Take only the first LIMIT training videos; validation and test stay whole."""
    classes: Path | None = None
    """Text file of the class names, one a line, in the order of all arrays; None: LLP's 25."""
    never_visible: str | None = None
    """The class that is heard and hardly ever seen, whose visual labels one of the controls removes; None: Speech,
    or none where there is no such class."""
    dense: Literal["all", "listed"] = "all"
    """Validation and test videos without events in the dense files: "all": nothing happens in them; "listed":
    nobody annotated them, and they are left out."""
    skip_missing: tyro.conf.FlagCreatePairsOff[bool] = False
    """Leave out videos without features; they are listed beside the store, in FILE.skipped.txt."""

    def class_names(self) -> tuple[str, ...]:
        """Return the classes; InputError where their file cannot be used."""
        from rlld_gym.data.classes import CLASSES
        from rlld_gym.data.llp.layout import read_classes

        return CLASSES if self.classes is None else read_classes(self.classes)


def require_number_shown(show: int, what: str) -> None:
    """Raise InputError where ``--show`` is no number of things to print."""
    if show < 0:
        raise InputError(f"--show {show}: expected 0 or more {what}")


def problem_lines(problems: Iterable["FileProblem"], show: int) -> list[str]:
    """Return the first feature files that cannot be used, one a line, and how many more there are."""
    lines = [str(problem) for problem in problems]
    more = [f"... and {len(lines) - show} more; --show {len(lines)} lists all"] if len(lines) > show else []
    return lines[:show] + more
