"""Checking and reading the npy files of a feature folder."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.llp.layout import LLP, DataLayout
from rlld_gym.errors import InputError

MISSING: Final = "missing"
"""Kind of the problem of a file that is not there."""


@dataclass(frozen=True, order=True)
class FileProblem:
    """A feature file that cannot be imported.

    Attributes:
        video: its id or name.
        file: the path.
        kind: "missing", "unreadable", "wrong shape", "wrong dtype", "NaN or infinity", "float16 overflow" or
            "out of range".
        expected: what the file should be.
        found: what it is.
    """

    video: str
    file: str
    kind: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.video}  {self.kind}: {self.file}: found {self.found}; expected {self.expected}"


@dataclass(frozen=True)
class NpyHeader:
    """Shape and dtype of an npy file, and its size and age on disk."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stamp: tuple[int, int]


@dataclass(frozen=True)
class VideoFiles:
    """The feature files of one video: stream ("audio", "visual_2d", "visual_3d") -> path."""

    video: str
    paths: Mapping[str, Path]
    layout: DataLayout = LLP

    def expected_rows(self, stream: str) -> tuple[int, ...]:
        """Return how many rows a stream's array may have."""
        segments = self.layout.num_segments
        pooled = self.layout.frames_per_segment * segments
        return tuple(dict.fromkeys((pooled, segments))) if stream == "visual_2d" else (segments,)

    def expected_shape(self, stream: str, size: int | None) -> str:
        """Return the shape in words, such as "(80, 2048) or (10, 2048)"."""
        width = "D" if size is None else size
        return " or ".join(f"({rows}, {width})" for rows in self.expected_rows(stream))


@dataclass(frozen=True)
class FeatureScan:
    """What the headers of all feature files say.

    Attributes:
        sizes: stream -> number of features, None where no file of the stream could be read.
        problems: every file that cannot be imported.
        stamp: digest of the paths, sizes and ages of the readable files.
        audio_rows: rows of the audio files, the number that most of them have; None where none could be read.
    """

    sizes: Mapping[str, int | None]
    problems: list[FileProblem]
    stamp: str
    audio_rows: int | None = None

    def missing(self) -> set[str]:
        """Return the videos of which a file is not there."""
        return {problem.video for problem in self.problems if problem.kind == MISSING}


def video_files(
    root: Path, folders: Mapping[str, str], filenames: Sequence[str], layout: DataLayout = LLP
) -> list[VideoFiles]:
    """Return the files in which the features of the videos are expected."""
    return [
        VideoFiles(
            layout.video(filename),
            {stream: layout.feature_path(root / folder, filename) for stream, folder in folders.items()},
            layout,
        )
        for filename in filenames
    ]


def read_npy_header(path: Path) -> NpyHeader:
    """Read the header of an npy file and compare the file's length with it; the array is not read.

    Raises:
        OSError: the file cannot be read.
        ValueError: not an npy file, an unknown version of the format, pickled objects, or a truncated file.
    """
    _refuse_pipe(path)
    with path.open("rb") as file:
        shape, dtype = _shape_and_dtype(file)
        status = os.fstat(file.fileno())
        if dtype.hasobject:
            raise ValueError("pickled Python objects")
        expected = file.tell() + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if status.st_size != expected:
            state = "truncated, " if status.st_size < expected else ""
            raise ValueError(f"{state}{status.st_size} bytes where its header says {expected}")
        return NpyHeader(shape, dtype, (status.st_size, status.st_mtime_ns))


def scan_headers(
    files: Sequence[VideoFiles], progress: Callable[[int, int], object] | None = None
) -> FeatureScan:
    """Read the headers of all feature files and judge every file; no array is read.

    Args:
        files: the files of all videos, one video at least, with the same streams each.
        progress: called with (videos scanned, videos in all) after each video.

    Returns:
        Sizes, problems and a digest of the files' sizes and ages. The size of a stream is the one that most
        of its files have, and files of other sizes are problems.
    """
    headers: list[tuple[VideoFiles, str, NpyHeader]] = []
    problems, digest = [], hashlib.sha256()
    for number, video in enumerate(files, start=1):
        for stream, path in video.paths.items():
            try:
                header = read_npy_header(path)
            except (OSError, ValueError) as error:
                problems.append(_unreadable(video, stream, error))
            else:
                headers.append((video, stream, header))
                digest.update(f"{path} {header.stamp}".encode())
        if progress is not None:
            progress(number, len(files))
    sizes = {}
    for stream in files[0].paths:
        widths = Counter(h.shape[1] for _, key, h in headers if key == stream and len(h.shape) == 2)
        sizes[stream] = widths.most_common(1)[0][0] if widths else None
    judged = (judge(video, stream, header, sizes[stream]) for video, stream, header in headers)
    problems += [problem for problem in judged if problem is not None]
    rows = Counter(h.shape[0] for _, key, h in headers if key == "audio" and len(h.shape) == 2)
    audio_rows = rows.most_common(1)[0][0] if rows else None
    return FeatureScan(sizes, sorted(problems), digest.hexdigest(), audio_rows)


def judge(
    video: VideoFiles, stream: str, found: NpyHeader | NDArray[Any], size: int | None
) -> FileProblem | None:
    """Return what is wrong with a feature array's shape or dtype, None where nothing is.

    Args:
        video: the video's files.
        stream: "audio", "visual_2d" or "visual_3d".
        found: header or content of the stream's file; expected are floating-point numbers of shape (T, size), or
            also (frames, size) for 2D features.
        size: the expected number of features, None for any.
    """
    shape, dtype = found.shape, found.dtype
    if dtype.kind != "f":
        return FileProblem(
            video.video, str(video.paths[stream]), "wrong dtype", "floating-point numbers", str(dtype)
        )
    rows = video.expected_rows(stream)
    if len(shape) == 2 and shape[0] in rows and shape[1] > 0 and size in (None, shape[1]):
        return None
    expected = video.expected_shape(stream, size)
    found_shape = f"{shape}, no features" if 0 in shape[1:] else str(shape)
    return FileProblem(video.video, str(video.paths[stream]), "wrong shape", expected, found_shape)


def check_folders(root: Path, folders: Mapping[str, str]) -> None:
    """Raise InputError where the feature folder or one of its stream folders does not exist."""
    if not root.is_dir():
        raise InputError(
            f"features {str(root)!r}: no such folder; expected the folders {', '.join(folders.values())}"
        )
    for stream, folder in folders.items():
        if not (root / folder).is_dir():
            advice = "; for features without a 3D stream use --no-3d" if stream == "visual_3d" else ""
            raise InputError(
                f"features {str(root)!r}: no folder {folder!r} with the {stream.replace('_', ' ')} features; "
                f"expected a file in {folder}/ for every video{advice}"
            )


def read_video(
    files: VideoFiles, sizes: Mapping[str, int]
) -> tuple[dict[str, NDArray[np.float32]], list[FileProblem]]:
    """Read the features of one video.

    Args:
        files: the video's files.
        sizes: stream -> number of features.

    Returns:
        Stream -> (T, size) float32, frames pooled by their mean over each segment, and the problems: files
        that became unreadable or changed their shape since they were scanned, or hold NaN or infinity. The
        streams of such files are left out.
    """
    arrays, problems = {}, []
    for stream, path in files.paths.items():
        pooled = _read_stream(files, stream, path, sizes[stream])
        if isinstance(pooled, FileProblem):
            problems.append(pooled)
        else:
            arrays[stream] = pooled
    return arrays, problems


def _read_stream(video: VideoFiles, stream: str, path: Path, size: int) -> NDArray[np.float32] | FileProblem:
    try:
        _refuse_pipe(path)
        raw = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        return _unreadable(video, stream, error)
    problem = judge(video, stream, raw, size)
    if problem is not None:
        return problem
    with np.errstate(over="ignore", invalid="ignore"):
        frames = raw.reshape(video.layout.num_segments, -1, size)
        pooled: NDArray[np.float32] = frames.mean(axis=1, dtype=np.float32)
    bad = int(np.count_nonzero(~np.isfinite(pooled)))
    if bad:
        found = f"NaN or infinity in {bad} of {pooled.size} values (of segments)"
        return FileProblem(video.video, str(path), "NaN or infinity", "finite values", found)
    return pooled


def _refuse_pipe(path: Path) -> None:
    """Raise ValueError for a pipe or a device, which would wait for ever."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise ValueError("a pipe or a device, not a file")


def _unreadable(video: VideoFiles, stream: str, error: Exception) -> FileProblem:
    path, expected = str(video.paths[stream]), video.expected_shape(stream, None)
    if isinstance(error, FileNotFoundError):
        return FileProblem(video.video, path, MISSING, expected, "no file")
    found = " ".join(str(error).split()) or type(error).__name__
    return FileProblem(video.video, path, "unreadable", expected, found)


def _shape_and_dtype(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise ValueError(f"npy format {version[0]}.{version[1]}")
    return shape, dtype
