"""From raw videos and annotation files to a store: the features lie beside it until it is complete."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rlld_gym.data.classes import CLASSES
from rlld_gym.data.extract.notes import NOTES_FILE
from rlld_gym.data.extract.origin import ANNOTATED_NAMES, FileNames
from rlld_gym.data.extract.run import ExtractReport, extract_named
from rlld_gym.data.extract.store_streams import store_folders
from rlld_gym.data.extract.streams import STREAMS
from rlld_gym.data.extract.video_files import annotated_paths
from rlld_gym.data.extract.worker import ExtractOptions
from rlld_gym.data.llp.annotated import annotated_videos
from rlld_gym.data.llp.importer import import_store
from rlld_gym.data.llp.layout import DataLayout, DenseVideos
from rlld_gym.data.llp.npy_layout import SOURCE_FILE
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.errors import InputError


def working_folder(out: Path) -> Path:
    """Return where the features of a store lie until it is complete."""
    return out.with_name(f"{out.name}.features")


def notes_path(out: Path) -> Path:
    """Return where it is listed what was not as asked in the videos of a store."""
    return out.with_name(f"{out.name}.{NOTES_FILE}")


@dataclass(frozen=True)
class StoreReport:
    """What `extract_into_store` did.

    Attributes:
        extraction: what was done with the videos.
        unannotated: videos of the folder that no annotation file names; they were left alone.
        store: the store, opened; None where videos failed that were not to be left out.
    """

    extraction: ExtractReport
    unannotated: int
    store: FeatureStore | None


def extract_into_store(
    videos: str | os.PathLike[str],
    annotations: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: ExtractOptions | None = None,
    *,
    classes: tuple[str, ...] = CLASSES,
    dense: DenseVideos = "all",
    never_visible: str | None = None,
    dtype: str = "float16",
    strict: bool = False,
    limit: int | None = None,
    skip_missing: bool = False,
    at_a_time: int = 4,
    workers: int = 1,
    backend: str = "process",
    progress: bool = False,
) -> StoreReport:
    """Extract the features of the annotated videos and write them with their labels as one store file.

    `rlld_gym.data.extract.run` makes npy files in ``OUT.features``, `rlld_gym.data.llp.importer` makes the store of
    them, and then the folder is removed. After an interruption of either the same call goes on. Annotation files,
    options, and whether each video is there are looked at before anything is written.

    Args:
        videos: folder of video files, named as in the annotation files, or by LLP's ids.
        annotations: folder of annotation files, see `rlld_gym.data.llp.annotations.load_annotations`.
        out: the store file, which must not be there yet.
        options: what to extract; None: LLP's features.
        classes: C names, in the order of all arrays.
        dense: what a validation or test video without events is, see `rlld_gym.data.llp.layout.DataLayout`.
        never_visible: see `rlld_gym.data.llp.importer.import_store`, as the next three.
        dtype: "float16" or "float32".
        strict: refuse annotation files with broken rows.
        limit: take only the first ``limit`` training videos.
        skip_missing: leave out videos that are not there or cannot be decoded; ``OUT.skipped.txt`` lists them.
        at_a_time: see `rlld_gym.data.extract.run.extract`, as the others.
        workers: threads that decode; with Ray, actors.
        backend: "process" or "ray".
        progress: show progress bars on standard error.

    Returns:
        What was done. Remarks on videos are in ``OUT.notes.tsv``, or in ``OUT.features`` where there is no store.

    Raises:
        InputError: something cannot be used, see above; or, from the import, features that are not finite.
    """
    options, target = options or ExtractOptions(), Path(out)
    folder = working_folder(target)
    _require_new(target)
    grid, folders = options.grid, store_folders(options.streams)
    layout = DataLayout(
        classes,
        grid.num_segments,
        grid.frames_per_segment,
        "{name}.npy",
        dense,
        segments_option="--seconds, --segment-length",
    )
    _, selection = annotated_videos(
        annotations, layout, dtype=dtype, strict=strict, limit=limit, never_visible=never_visible
    )
    annotated = annotated_paths(Path(videos), selection, skip_missing)
    extraction = extract_named(
        annotated.paths,
        folder,
        options,
        name=Path(videos).resolve().name,
        file_names=FileNames(ANNOTATED_NAMES),
        at_a_time=at_a_time,
        workers=workers,
        backend=backend,
        progress=progress,
    )
    if extraction.failed and not skip_missing:
        return StoreReport(extraction, annotated.unannotated, None)
    store = import_store(
        annotations,
        folder,
        target,
        dtype=dtype,
        strict=strict,
        limit=limit,
        folders=folders,
        layout=layout,
        never_visible=never_visible,
        skip_missing=skip_missing,
        progress=progress,
    )
    _clear(folder, target)
    return StoreReport(extraction, annotated.unannotated, store)


def _require_new(target: Path) -> None:
    """Raise InputError where the store is there: to make it again would take as long as the first time."""
    if target.exists():
        folder = working_folder(target)
        left = f", and {folder}, which an interrupted extraction left," if folder.exists() else ""
        raise InputError(f"{target}: is there already; name another file, or delete it{left} to extract anew")


def _clear(folder: Path, target: Path) -> None:
    """Keep the remarks beside the store, and remove the features; what somebody else put there stays."""
    if (folder / NOTES_FILE).is_file():
        os.replace(folder / NOTES_FILE, notes_path(target))
    for stream in STREAMS:
        shutil.rmtree(folder / stream, ignore_errors=True)
    (folder / SOURCE_FILE).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
