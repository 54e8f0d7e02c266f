"""What a folder of features says of their origin, so that features made otherwise are never mixed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rlld_gym.data.extract.worker import ExtractOptions
from rlld_gym.data.llp.npy_layout import SOURCE_FILE
from rlld_gym.data.video_names import ID_LENGTH
from rlld_gym.errors import InputError
from rlld_gym.files import read_json

_MADE_BY: Final = "extraction"


@dataclass(frozen=True)
class FileNames:
    """How the files of features are named.

    Attributes:
        rule: by what, in words.
        foreign: a video that is not named as LLP's, for whose sake files are named by whole names.
    """

    rule: str
    foreign: Path | None = None


FIRST_CHARACTERS: Final = f"the first {ID_LENGTH} characters of the videos' names"
WHOLE_NAMES: Final = "the videos' whole names"
ANNOTATED_NAMES: Final = "the names in the annotation files"


def origin(root: Path, name: str, options: ExtractOptions, names: FileNames) -> dict[str, Any]:
    """Return what a folder is to say of its features' origin, as JSON.

    Args:
        root: the folder.
        name: of the data.
        options: what is to be extracted.
        names: how files are named.

    Raises:
        InputError: those that are in it have another origin.
    """
    path, described = root / SOURCE_FILE, options.described()
    described["file_names"] = names.rule
    if path.is_file():
        before = read_json(path, "the note on the origin of features").get("sources") or {}
        made_by = before.get(_MADE_BY) if isinstance(before, Mapping) else None
        if not isinstance(made_by, Mapping):
            raise InputError(
                f"{root}: holds features that rlld data extract did not make; choose another folder"
            )
        _require_same_names(root, made_by.get("file_names"), names)
        _require_same(root, made_by, described)
        described["weights"] = {**made_by["weights"], **described["weights"]}
    else:
        theirs = next((s for s in options.streams if any((root / s).glob("*.npy"))), None)
        if theirs is not None:
            raise InputError(
                f"{root / theirs}: holds features, and {SOURCE_FILE} does not say what made them; choose another "
                "folder"
            )
    return {"name": name, "sources": {_MADE_BY: described}}


def _require_same_names(root: Path, before: str | None, names: FileNames) -> None:
    """Raise InputError where a folder's files would be named otherwise than those in it, and all be made again."""
    if before in (None, names.rule):
        return
    if before == FIRST_CHARACTERS and names.foreign is not None:
        raise InputError(
            f"{root}: its files are named by {before}, which {names.foreign.name} does not allow (expected names "
            "as BjCEufrlXm4_20_30 or BjCEufrlXm4); extract it from a folder of its own into another one"
        )
    if before == WHOLE_NAMES and names.rule == FIRST_CHARACTERS:
        raise InputError(
            f"{root}: its files are named by {before}, as not all of them were named as LLP's; now all are, and "
            f"would be named by {names.rule}; choose another folder, or put the other videos back"
        )
    raise InputError(
        f"{root}: its files are named by {before}, now they would be by {names.rule}; choose another folder"
    )


def _require_same(root: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InputError where a folder's features were made otherwise; streams may be added."""
    weights = {
        stream: source for stream, source in now["weights"].items() if stream in before.get("weights", {})
    }
    options = {key: value for key, value in now.items() if key not in ("weights", "file_names")}
    for key, value in [*options.items(), *weights.items()]:
        found = before.get("weights", {}).get(key) if key in weights else before.get(key)
        if found != value:
            raise InputError(
                f"{root}: was extracted with {key} {found}, now it is {value}; choose another folder, or the same "
                "options"
            )
