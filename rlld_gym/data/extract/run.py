"""Extracting the features of a folder of videos into npy folders; an interrupted work goes on."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rlld_gym.data.extract.backends import Outcome, Work, in_this_process
from rlld_gym.data.extract.notes import NOTES_FILE, Note, write_notes
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
        workers: threads that decode videos while the networks run; with Ray, actors.
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
    report.by_id = all(len(p.stem) == ID_LENGTH or is_video_name(p.stem) for p in paths)
    targets = _targets(paths, root, options.streams, report.by_id)
    waiting = [path for path in paths if not all(file.is_file() for file in targets[path].values())]
    report.before = len(paths) - len(waiting)
    source = _source(root, Path(videos), options)
    if not waiting:
        return report
    works = [Work(path, targets[path]) for path in waiting]
    outcomes = BACKENDS[backend](options, works, at_a_time, workers)
    write_json(root / SOURCE_FILE, source)
    bar = ProgressBar(len(paths), "video", "extract", initial=report.before, shown=progress)
    try:
        with bar:
            for outcome in outcomes:
                report.count(outcome)
                bar.update()
    finally:
        write_notes(root / NOTES_FILE, report.notes)
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


def _source(root: Path, videos: Path, options: ExtractOptions) -> dict[str, Any]:
    """Return what a folder is to say of its features' origin; InputError where those in it have another one."""
    path, described = root / SOURCE_FILE, options.described()
    if path.is_file():
        before = read_json(path, "the note on the origin of features").get("sources") or {}
        made_by = before.get(_MADE_BY) if isinstance(before, Mapping) else None
        if not isinstance(made_by, Mapping):
            raise InputError(
                f"{root}: holds features that rlld data extract did not make; choose another folder"
            )
        _require_same(root, made_by, described)
        described["weights"] = {**made_by["weights"], **described["weights"]}
    else:
        foreign = next((s for s in options.streams if any((root / s).glob("*.npy"))), None)
        if foreign is not None:
            raise InputError(
                f"{root / foreign}: holds features, and {SOURCE_FILE} does not say what made them; choose another "
                "folder"
            )
    return {"name": videos.resolve().name, "sources": {_MADE_BY: described}}


def _require_same(root: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InputError where a folder's features were made otherwise; streams may be added."""
    weights = {
        stream: source for stream, source in now["weights"].items() if stream in before.get("weights", {})
    }
    for key, value in [*now.items(), *weights.items()]:
        found = before.get("weights", {}).get(key) if key in weights else before.get(key)
        if key != "weights" and found != value:
            raise InputError(
                f"{root}: was extracted with {key} {found}, now it is {value}; choose another folder, or the same "
                "options"
            )
