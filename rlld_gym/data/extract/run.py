"""Extracting the features of a folder of videos into npy folders; an interrupted work goes on."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rlld_gym.data.extract.backends import Outcome, Work, in_this_process
from rlld_gym.data.extract.notes import NOTES_FILE, Note, append_notes, write_notes
from rlld_gym.data.extract.ray_backend import on_ray
from rlld_gym.data.extract.worker import ExtractOptions
from rlld_gym.data.llp.npy_layout import SOURCE_FILE
from rlld_gym.data.video_names import ID_LENGTH, is_video_name
from rlld_gym.errors import InputError
from rlld_gym.files import read_json, write_json
from rlld_gym.os_errors import explain
from rlld_gym.progress import ProgressBar

ENDINGS: Final = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf", ".ogv"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".m2ts"),
)
"""Of the files that are taken for videos."""
Backend = Callable[[ExtractOptions, Sequence[Work], int, int], Iterator[Outcome]]
BACKENDS: Final[Mapping[str, Backend]] = {"process": in_this_process, "ray": on_ray}
_MADE_BY: Final = "extraction"
_FIRST_CHARACTERS: Final = f"the first {ID_LENGTH} characters of the videos' names"
_WHOLE_NAMES: Final = "the videos' whole names"


@dataclass
class ExtractReport:
    """What `extract` did.

    Attributes:
        made: videos whose features were made now.
        before: videos whose features were there.
        notes: of the videos that were looked at now, by video.
        by_id: files are named by the first 11 characters of the videos' names, as LLP's, not by the whole name.
        sizes: stream -> shape of the last array that was made.
    """

    made: int = 0
    before: int = 0
    notes: dict[str, tuple[Note, ...]] = field(default_factory=dict)
    by_id: bool = False
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def count(self, outcome: Outcome) -> None:
        """Count a video."""
        self.notes[outcome.video] = outcome.notes
        self.made += bool(outcome.shapes)
        self.sizes.update(outcome.shapes)

    @property
    def failed(self) -> list[str]:
        """Videos without features."""
        return [video for video, notes in self.notes.items() if any(n.kind == "failed" for n in notes)]


def extract(
    videos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: ExtractOptions | None = None,
    *,
    at_a_time: int = 4,
    workers: int = 1,
    backend: str = "process",
    progress: bool = False,
) -> ExtractReport:
    """Write each video's features as ``OUT/STREAM/NAME.npy``, each file atomically.

    Videos whose files are all there are left as they are, so that the same call goes on after an interruption. What
    was made with other options is refused. OUT/notes.tsv lists what was not as asked, OUT/source.json says what
    made the features, also to `rlld_gym.data.llp.importer.import_store`, which reads them.

    Args:
        videos: folder of video files (see `ENDINGS`); folders in it are not looked at.
        out: folder for the features.
        options: what to extract; None: LLP's features.
        at_a_time: videos whose frames go through the networks together; at most twice as many are in memory, 15 MB
            each with LLP's streams.
        workers: threads that decode videos while the networks run, of use up to ``at_a_time``; with Ray, actors.
        backend: "process", this one; or "ray", see `rlld_gym.data.extract.ray_backend`.
        progress: show a progress bar on standard error.

    Returns:
        What was done; videos that cannot be decoded do not stop the others and are in its notes.

    Raises:
        InputError: a folder cannot be used, two videos would have the same file, or the networks cannot be made.
    """
    options = options or ExtractOptions()
    if at_a_time < 1 or workers < 1:
        raise InputError(f"{at_a_time} videos at a time, {workers} workers: expected at least 1 of each")
    if backend not in BACKENDS:
        raise InputError(f"backend {backend!r}: expected one of {', '.join(BACKENDS)}")
    root = Path(out)
    report = ExtractReport()
    paths = video_paths(Path(videos))
    foreign = next((p for p in paths if len(p.stem) != ID_LENGTH and not is_video_name(p.stem)), None)
    report.by_id = foreign is None
    source = _source(root, Path(videos), options, foreign)
    targets = _targets(paths, root, options.streams, report.by_id)
    waiting = [path for path in paths if not all(file.is_file() for file in targets[path].values())]
    report.before = len(paths) - len(waiting)
    if not waiting:
        return report
    works = [Work(path, targets[path]) for path in waiting]
    outcomes = BACKENDS[backend](options, works, at_a_time, workers)
    write_json(root / SOURCE_FILE, source)
    notes = root / NOTES_FILE
    write_notes(notes, {path.stem: () for path in waiting})  # only remarks on what is done stay
    bar = ProgressBar(len(paths), "video", "extract", initial=report.before, shown=progress)
    try:
        with bar:
            for outcome in outcomes:
                report.count(outcome)
                append_notes(notes, outcome.notes)
                bar.update()
    finally:
        write_notes(notes, report.notes)
    return report


def video_paths(folder: Path) -> list[Path]:
    """Return the video files of a folder, sorted by name.

    Raises:
        InputError: there is no such folder, or no video in it.
    """
    try:
        paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in ENDINGS and not p.is_dir())
    except OSError as error:
        raise InputError(f"videos {folder}: {explain(error)}; expected a folder of videos") from error
    if not paths:
        raise InputError(
            f"videos {folder}: no video in it; expected files ending in {' '.join(sorted(ENDINGS))}"
        )
    return paths


def _targets(
    paths: Sequence[Path], root: Path, streams: Sequence[str], by_id: bool
) -> dict[Path, dict[str, Path]]:
    """Return video -> stream -> npy file; InputError where two videos have the same."""
    names: dict[str, Path] = {}
    for path in paths:
        name = path.stem[:ID_LENGTH] if by_id else path.stem
        if name in names:
            raise InputError(
                f"{names[name]} and {path.name} would both be {name}.npy; give them different names, without the "
                "ending"
            )
        names[name] = path
    return {
        path: {stream: root / stream / f"{name}.npy" for stream in streams} for name, path in names.items()
    }


def _source(root: Path, videos: Path, options: ExtractOptions, foreign: Path | None) -> dict[str, Any]:
    """Return what a folder is to say of its features' origin; InputError where those in it have another one.

    Args:
        root: the folder.
        videos: that of the videos.
        options: what is to be extracted.
        foreign: a video that is not named as LLP's, for whose sake files are named by whole names.
    """
    path, described = root / SOURCE_FILE, options.described()
    described["file_names"] = _FIRST_CHARACTERS if foreign is None else _WHOLE_NAMES
    if path.is_file():
        before = read_json(path, "the note on the origin of features").get("sources") or {}
        made_by = before.get(_MADE_BY) if isinstance(before, Mapping) else None
        if not isinstance(made_by, Mapping):
            raise InputError(
                f"{root}: holds features that rlld data extract did not make; choose another folder"
            )
        _require_same_names(root, made_by.get("file_names"), foreign)
        _require_same(root, made_by, described)
        described["weights"] = {**made_by["weights"], **described["weights"]}
    else:
        theirs = next((s for s in options.streams if any((root / s).glob("*.npy"))), None)
        if theirs is not None:
            raise InputError(
                f"{root / theirs}: holds features, and {SOURCE_FILE} does not say what made them; choose another "
                "folder"
            )
    return {"name": videos.resolve().name, "sources": {_MADE_BY: described}}


def _require_same_names(root: Path, before: str | None, foreign: Path | None) -> None:
    """Raise InputError where a folder's files would be named otherwise than those in it, and all be made again."""
    if before == _FIRST_CHARACTERS and foreign is not None:
        raise InputError(
            f"{root}: its files are named by {before}, which {foreign.name} does not allow (expected names as "
            "BjCEufrlXm4_20_30 or BjCEufrlXm4); extract it from a folder of its own into another one"
        )
    if before == _WHOLE_NAMES and foreign is None:
        raise InputError(
            f"{root}: its files are named by {before}, as not all of them were named as LLP's; now all are, and "
            f"would be named by {_FIRST_CHARACTERS}; choose another folder, or put the other videos back"
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
