"""Extracting the features of a folder of videos into npy folders; an interrupted work goes on."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rlld_gym.data.extract.backends import Outcome, Work, in_this_process
from rlld_gym.data.extract.notes import NOTES_FILE, Note, append_notes, write_notes
from rlld_gym.data.extract.origin import FIRST_CHARACTERS, WHOLE_NAMES, FileNames, origin
from rlld_gym.data.extract.ray_backend import on_ray
from rlld_gym.data.extract.video_files import first_foreign, paths_by_name, video_paths
from rlld_gym.data.extract.worker import ExtractOptions
from rlld_gym.data.llp.npy_layout import SOURCE_FILE
from rlld_gym.errors import InputError
from rlld_gym.files import write_json
from rlld_gym.progress import ProgressBar

Backend = Callable[[ExtractOptions, Sequence[Work], int, int], Iterator[Outcome]]
BACKENDS: Final[Mapping[str, Backend]] = {"process": in_this_process, "ray": on_ray}


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
        videos: folder of video files (see `video_files.ENDINGS`); folders in it are not looked at.
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
    folder = Path(videos)
    paths = video_paths(folder)
    foreign = first_foreign(paths)
    rule = FIRST_CHARACTERS if foreign is None else WHOLE_NAMES
    report = extract_named(
        paths_by_name(paths, by_id=foreign is None),
        Path(out),
        options or ExtractOptions(),
        name=folder.resolve().name,
        file_names=FileNames(rule, foreign),
        at_a_time=at_a_time,
        workers=workers,
        backend=backend,
        progress=progress,
    )
    report.by_id = foreign is None
    return report


def extract_named(
    videos: Mapping[str, Path],
    root: Path,
    options: ExtractOptions,
    *,
    name: str,
    file_names: FileNames,
    at_a_time: int,
    workers: int,
    backend: str,
    progress: bool,
) -> ExtractReport:
    """Write the features of some videos as ``ROOT/STREAM/NAME.npy``, as `extract` does.

    Args:
        videos: NAME -> the video.
        root: folder for the features.
        options: what to extract.
        name: of the data.
        file_names: how the names came about.
        at_a_time: videos whose frames go through the networks together.
        workers: threads that decode; with Ray, actors.
        backend: "process" or "ray".
        progress: show a progress bar on standard error.

    Raises:
        InputError: an option or the folder cannot be used, or the networks cannot be made.
    """
    if at_a_time < 1 or workers < 1:
        raise InputError(f"{at_a_time} videos at a time, {workers} workers: expected at least 1 of each")
    if backend not in BACKENDS:
        raise InputError(f"backend {backend!r}: expected one of {', '.join(BACKENDS)}")
    report = ExtractReport()
    source = origin(root, name, options, file_names)
    works = [
        Work(path, {stream: root / stream / f"{key}.npy" for stream in options.streams})
        for key, path in videos.items()
    ]
    waiting = [work for work in works if not all(file.is_file() for file in work.targets.values())]
    report.before = len(works) - len(waiting)
    if not waiting:
        return report
    outcomes = BACKENDS[backend](options, waiting, at_a_time, workers)
    write_json(root / SOURCE_FILE, source)
    notes = root / NOTES_FILE
    write_notes(notes, {work.path.stem: () for work in waiting})  # only remarks on what is done stay
    bar = ProgressBar(len(works), "video", "extract", initial=report.before, shown=progress)
    try:
        with bar:
            for outcome in outcomes:
                report.count(outcome)
                append_notes(notes, outcome.notes)
                bar.update()
    finally:
        write_notes(notes, report.notes)
    return report
