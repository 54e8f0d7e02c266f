"""The video files of a folder, and the names that their features get."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rlld_gym.data.llp.selection import Selection
from rlld_gym.data.video_names import ID_LENGTH, is_video_name
from rlld_gym.errors import InputError
from rlld_gym.os_errors import explain

ENDINGS: Final = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".ogv"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
)
"""Of the files that are taken for videos."""


def video_paths(folder: Path) -> list[Path]:
    """Return the video files of a folder, sorted by name.

    Raises:
        InputError: there is no such folder, or no video in it.
    """
    try:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.is_dir())
    except OSError as error:
        raise InputError(f"videos {str(folder)!r}: {explain(error)}; expected a folder of videos") from error
    if not paths:
        raise InputError(
            f"videos {str(folder)!r}: no video in it; expected files ending in {' '.join(sorted(ENDINGS))}"
        )
    return paths


def first_foreign(paths: Sequence[Path]) -> Path | None:
    """Return the first video that is not named by an id, or by an id and seconds, as LLP's; None: all are."""
    return next((p for p in paths if len(p.stem) != ID_LENGTH and not is_video_name(p.stem)), None)


def paths_by_name(paths: Sequence[Path], by_id: bool) -> dict[str, Path]:
    """Return the name of a video's features -> the video.

    Args:
        paths: of the videos.
        by_id: features are named by the first 11 characters of a video's name, not by all of it.

    Raises:
        InputError: two videos would have the same.
    """
    named: dict[str, Path] = {}
    for path in paths:
        name = path.stem[:ID_LENGTH] if by_id else path.stem
        if name in named:
            raise InputError(
                f"{named[name]} and {path.name} would both be {name}.npy; give them different names, without the "
                "ending"
            )
        named[name] = path
    return named


@dataclass(frozen=True)
class AnnotatedVideos:
    """The videos of a folder that annotation files name.

    Attributes:
        paths: name in the annotation files -> the video.
        unannotated: videos of the folder that no annotation file names.
    """

    paths: Mapping[str, Path]
    unannotated: int


def annotated_paths(folder: Path, selection: Selection, skip_missing: bool) -> AnnotatedVideos:
    """Find the videos that annotation files name.

    A video is named as in the annotation files or, where that is LLP's id and seconds, by the id alone.

    Args:
        folder: of the videos.
        selection: what the annotation files say.
        skip_missing: do without the videos that are not there.

    Raises:
        InputError: the folder cannot be used, videos are missing, without ``skip_missing`` one, with it all of a
            split, or it is not clear which video is which.
    """
    names = selection.filenames
    wanted = {*names, *filter(None, map(_id_of, names))}
    there = video_paths(folder)
    files = paths_by_name([path for path in there if path.stem in wanted], by_id=False)
    paths: dict[str, Path] = {}
    for name in names:
        path = files.get(name) or files.get(_id_of(name) or "")
        if path is not None:
            paths[name] = path
    _refuse_shared(paths)
    for split, annotations in selection.splits.items():
        missing = [name for name in annotations.filenames if name not in paths]
        if len(missing) == len(annotations.filenames) or (missing and not skip_missing):
            raise InputError(_said(folder, split, missing, len(annotations.filenames)))
    return AnnotatedVideos(paths, len(there) - len(paths))


def _id_of(name: str) -> str | None:
    """Return the id in a name of LLP's, None of other names."""
    return name[:ID_LENGTH] if is_video_name(name) else None


def _refuse_shared(paths: Mapping[str, Path]) -> None:
    """Raise InputError where two names of the same id would be one video."""
    owners: dict[Path, str] = {}
    for name, path in paths.items():
        if path in owners:
            raise InputError(
                f"{path}: is it {owners[path]} or {name} of the annotation files? Give each a file of its own, "
                "of its whole name"
            )
        owners[path] = name


def _said(folder: Path, split: str, missing: Sequence[str], number: int) -> str:
    """Return what is missing, and what to do."""
    first = missing[0]
    also = f" or {_id_of(first)}" if _id_of(first) else ""
    leave_out = "" if len(missing) == number else ", or leave them out with --skip-missing"
    return (
        f"videos {str(folder)!r}: {len(missing)} of the {number} videos of split {split!r} are not there, the "
        f"first: {first}; expected a file named {first}{also}, with an ending such as .mp4; nothing was written; "
        f"restore them{leave_out}"
    )
