"""Importing LLP, or a data set in LLP's layout, from npy files into one store file."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.llp.annotated import annotated_videos
from rlld_gym.data.llp.annotation_files import annotation_paths
from rlld_gym.data.llp.annotations import Annotations, SplitAnnotations
from rlld_gym.data.llp.layout import LLP, DataLayout
from rlld_gym.data.llp.npy_layout import SOURCE_FILE, FeatureFolders
from rlld_gym.data.llp.npy_scan import (
    MISSING,
    FeatureScan,
    FileProblem,
    VideoFiles,
    check_folders,
    read_video,
    scan_headers,
    video_files,
)
from rlld_gym.data.llp.partial import PartialStore
from rlld_gym.data.llp.selection import Selection, with_features
from rlld_gym.data.llp.teachers import read_teachers
from rlld_gym.data.split import TEACHERS
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.store.header import StoreHeader, default_attributes
from rlld_gym.data.store.space import require_space
from rlld_gym.errors import InputError
from rlld_gym.progress import ProgressBar

BLOCK_VIDEOS: Final = 64
"""Videos that are in memory at a time: 7 MB with LLP's feature sizes."""

READING_THREADS: Final = 4
"""Threads that read files: for disks that answer late; they hardly help when the files are cached."""


def skipped_path(out: Path) -> Path:
    """Return where the videos without features are listed that an import left out of a store."""
    return out.with_name(f"{out.name}.skipped.txt")


class FeatureFilesError(InputError):
    """Feature files that cannot be imported; the message counts them and names the first.

    Attributes:
        problems: all of them, sorted by video.
    """

    def __init__(self, features: Path, problems: Sequence[FileProblem], total: int, advice: str) -> None:
        self.problems = tuple(problems)
        self._arguments = features, self.problems, total, advice
        kinds = ", ".join(
            f"{count} {kind}" for kind, count in Counter(p.kind for p in problems).most_common()
        )
        super().__init__(
            f"features {str(features)!r}: {len(problems)} of {total} files cannot be used ({kinds}), the first: "
            f"{problems[0]}; {advice}"
        )

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        """Let other processes make it anew: an exception would offer its message as the only argument."""
        return type(self), self._arguments


def import_store(
    annotations: str | os.PathLike[str],
    features: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dtype: str = "float16",
    strict: bool = False,
    limit: int | None = None,
    folders: FeatureFolders | None = None,
    layout: DataLayout = LLP,
    never_visible: str | None = None,
    skip_missing: bool = False,
    teacher: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> FeatureStore:
    """Read annotations and npy features and write one store file.

    First the headers of all files are checked, and nothing is written unless all files are there and fit.
    Then the features are read in blocks of 64 videos, so that memory does not grow with the data set, into
    ``OUT.partial``. After an interruption the same call goes on where it stopped; the file is the same.

    Args:
        annotations: folder of annotation files, see `load_annotations`.
        features: folder with ``vggish/ID.npy`` (T, Da), ``res152/ID.npy`` (8 T, D2) or (T, D2), and
            ``r2plus1d_18/ID.npy`` (T, D3), floating-point; ID is the first 11 characters of a filename.
            Feature sizes are those of the files.
        out: the store file; replaced when all is read.
        dtype: "float16" or "float32", as which features are stored.
        strict: refuse annotation files with broken rows instead of repairing them.
        limit: import only the first ``limit`` training videos; validation and test stay whole.
        folders: names of the folders of npy files, and whether there is a 3D stream.
        layout: classes, segments, and how files are named.
        never_visible: the class that is heard and hardly ever seen: the rule among the controls removes its visual
            labels. None: "Speech" where there is such a class.
        skip_missing: leave out videos of which a feature file is missing; they are listed in ``OUT.skipped.txt``
            and counted in the store's sources.
        teacher: folder of what segment-level teachers say of the training videos, see
            `rlld_gym.data.llp.teachers`; None: there are none.
        progress: show progress bars on standard error.

    Returns:
        The store, opened.

    Raises:
        FeatureFilesError: files are missing, truncated, of other shapes or dtypes (found before anything is
            written), or hold NaN, infinity or values too large for float16.
        InputError: an option, an annotation file or a folder cannot be used, or the disk is too small.
    """
    loaded, selection = annotated_videos(
        annotations, layout, dtype=dtype, strict=strict, limit=limit, never_visible=never_visible
    )
    root, target = Path(features), Path(out)
    streams = (folders or FeatureFolders()).streams()
    paths = annotation_paths(Path(annotations))
    check_folders(root, streams)
    files = video_files(root, streams, selection.filenames, layout)
    with ProgressBar(len(files), "video", "scan", shown=progress) as bar:
        scan = scan_headers(files, lambda _done, _all: bar.update())
    problems = [p for p in scan.problems if not (skip_missing and p.kind == MISSING)]
    if problems:
        raise FeatureFilesError(root, problems, len(files) * len(streams), _advice(scan, layout, problems))
    if scan.problems:
        selection, files = with_features(selection, files, scan, layout)
    splits = selection.splits
    teachers = {} if teacher is None else _teachers(Path(teacher), splits["train"].filenames, layout)
    source = _source(root)
    noted: dict[str, Any] = {key: source[key] for key in ("hidden_size", "recipe") if key in source}
    sizes = {stream: size for stream, size in scan.sizes.items() if size is not None}
    header = StoreHeader(
        name=str(source.get("name", target.stem)),
        classes=layout.classes,
        counts={name: len(split.filenames) for name, split in splits.items()},
        dtype=dtype,
        audio_size=sizes["audio"],
        visual_2d_size=sizes["visual_2d"],
        visual_3d_size=sizes.get("visual_3d", 0),
        num_segments=layout.num_segments,
        attributes={
            **default_attributes(len(splits["train"].filenames), noted),
            **({} if never_visible is None else {"never_visible": never_visible}),
            "sources": {
                **_sources(paths, loaded, limit, selection),
                "features_folder": str(root.resolve()),
                "folders": streams,
                "made_by": source.get("sources"),
                **({} if teacher is None else {"teacher_folder": str(Path(teacher).resolve())}),
            },
        },
    )
    flags = _flags(splits, layout.num_segments)
    require_space(target, header)
    names = selection.filenames
    fixed = flags | teachers
    fingerprint = _fingerprint(header, names, fixed, scan.stamp)
    with PartialStore(target, header, names, fixed, fingerprint) as partial:
        _fill(partial, files, sizes, progress)
        if partial.problems:
            partial.discard()
            too_large = any(problem.kind == "float16 overflow" for problem in partial.problems)
            advice = "import with --dtype float32" if too_large else "restore the files and import again"
            total = len(files) * len(streams)
            raise FeatureFilesError(root, sorted(partial.problems), total, f"no store was written; {advice}")
        partial.finish()
    selection.write_list(skipped_path(target))
    return FeatureStore.open(target)


def _fill(
    partial: PartialStore, files: Sequence[VideoFiles], sizes: Mapping[str, int], progress: bool
) -> None:
    """Read the videos that are not in the partial store yet and append them, block by block."""
    bar = ProgressBar(len(files), "video", "import", initial=partial.done, shown=progress)
    with bar, ThreadPoolExecutor(READING_THREADS) as pool:
        for block in _blocks(files[partial.done :]):
            read = list(pool.map(lambda video: read_video(video, sizes), block))
            problems = [problem for _, found in read for problem in found]
            arrays = {}
            for stream, size in sizes.items():
                absent = np.zeros((partial.header.num_segments, size), np.float32)
                features = np.stack([streams.get(stream, absent) for streams, _ in read])
                arrays[stream], too_large = _cast(features, partial.header.dtype)
                problems += [_overflow(block[row], stream, features[row]) for row in too_large]
            visual = [arrays[stream] for stream in ("visual_2d", "visual_3d") if stream in arrays]
            partial.write(arrays["audio"], np.concatenate(visual, axis=2), problems)
            bar.update(len(block))


def _blocks(files: Sequence[VideoFiles]) -> Iterator[Sequence[VideoFiles]]:
    for start in range(0, len(files), BLOCK_VIDEOS):
        yield files[start : start + BLOCK_VIDEOS]


def _cast(features: NDArray[np.float32], dtype: str) -> tuple[NDArray[np.floating[Any]], list[int]]:
    """Return (n, T, D) finite features in ``dtype`` and the rows that hold values too large for it."""
    with np.errstate(over="ignore"):
        cast = features.astype(dtype)
    return cast, np.flatnonzero(~np.isfinite(cast).all(axis=(1, 2))).tolist()


def _overflow(video: VideoFiles, stream: str, features: NDArray[np.float32]) -> FileProblem:
    return FileProblem(
        video.video,
        str(video.paths[stream]),
        "float16 overflow",
        "magnitudes up to 65504, the largest float16",
        f"{float(np.abs(features).max()):g}",
    )


def _advice(scan: FeatureScan, layout: DataLayout, problems: Sequence[FileProblem]) -> str:
    """Return what to do about files that cannot be used."""
    if scan.audio_rows not in (None, layout.num_segments):
        rows = scan.audio_rows
        return f"nothing was written; for videos of {rows} segments import with --segments {rows}"
    if all(problem.kind == MISSING for problem in problems):
        return "nothing was written; restore the files, or leave these videos out with --skip-missing"
    return "nothing was written; restore the files and import again"


def _flags(splits: Mapping[str, SplitAnnotations], segments: int) -> dict[str, NDArray[np.bool_]]:
    """Return the store's labels, dense labels (zeros where unknown) and whether they are known."""
    parts: dict[str, list[NDArray[np.bool_]]] = {
        key: [] for key in ("labels", "dense_audio", "dense_visual", "dense_known")
    }
    for split in splits.values():
        number, classes = split.labels.shape
        unknown = np.zeros((number, segments, classes), np.bool_)
        parts["labels"].append(split.labels)
        parts["dense_audio"].append(unknown if split.dense_audio is None else split.dense_audio)
        parts["dense_visual"].append(unknown if split.dense_visual is None else split.dense_visual)
        parts["dense_known"].append(np.full(number, split.dense_audio is not None))
    return {key: np.concatenate(arrays) for key, arrays in parts.items()}


def _teachers(folder: Path, filenames: Sequence[str], layout: DataLayout) -> dict[str, NDArray[Any]]:
    """Return the datasets of what teachers say of the training videos."""
    answers, problems = read_teachers(folder, filenames, layout)
    if problems:
        advice = "nothing was written; restore the files, or import without --teacher"
        raise FeatureFilesError(folder, sorted(problems), 2 * len(filenames), advice)
    return dict(zip(TEACHERS, answers, strict=True))


def _source(root: Path) -> dict[str, Any]:
    """Return what the feature folder says about its origin; folders of LLP's own features say nothing."""
    try:
        source = json.loads((root / SOURCE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(
            f"{root / SOURCE_FILE}: not readable as JSON ({error}); repair or remove it"
        ) from error
    kinds = {"name": str, "recipe": str, "hidden_size": int}
    if not isinstance(source, dict) or any(not isinstance(source.get(k, t()), t) for k, t in kinds.items()):
        raise InputError(
            f"{root / SOURCE_FILE}: not a note on the features' origin; expected an object with the texts name and "
            "recipe and the number hidden_size; repair or remove it"
        )
    return source


def _sources(
    paths: Mapping[str, Path], loaded: Annotations, limit: int | None, selection: Selection
) -> dict[str, Any]:
    """Return what a store says about the origin of its labels."""
    return {
        "annotations": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths.values()},
        "annotation_defects": {kind: count for kind, count in loaded.counts().items() if count},
        "limit": limit,
        **({"left_out": left_out} if (left_out := selection.left_out()) else {}),
    }


def _fingerprint(
    header: StoreHeader, names: Sequence[str], fixed: Mapping[str, NDArray[Any]], stamp: str
) -> str:
    """Return a digest of everything that decides the content of the store."""
    digest = hashlib.sha256(repr(header).encode())
    digest.update("\n".join([stamp, *names]).encode())
    for value in fixed.values():
        digest.update(value.tobytes())
    return digest.hexdigest()
