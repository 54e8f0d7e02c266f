"""Reading what segment-level teachers say of training videos, in the layouts in which it is public.

- VALOR's (Lai et al., NeurIPS 2023): ``CLAP/segment_pseudo_labels/ID.npy`` and
  ``CLIP/segment_pseudo_labels/ID.npy``;
- LSLD's (Fan et al., NeurIPS 2023): ``final_label.npz`` or ``denoised_label.npz``;
- a plain one: ``audio/ID.npy`` and ``visual/ID.npy``.

Each video has an array (T, C) in [0, 1] for each modality; ID is what the layout names a video by.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.llp.label_archive import read_label_archive
from rlld_gym.data.llp.layout import LLP, DataLayout
from rlld_gym.data.llp.npy_scan import FileProblem
from rlld_gym.data.split import TEACHER_DTYPE
from rlld_gym.errors import InputError

FOLDERS: Final = (("CLAP/segment_pseudo_labels", "CLIP/segment_pseudo_labels"), ("audio", "visual"))
"""Folders of the audio and of the visual teacher."""
ARCHIVES: Final = ("final_label.npz", "denoised_label.npz")
"""Files of both teachers; the first that is there is read."""
ARCHIVE_KEYS: Final = ("label_a", "label_v")

Teachers = tuple[NDArray[np.float16], NDArray[np.float16]]
"""What is heard and what is seen, (N, T, C) in [0, 1] each."""

_Source = Callable[[int, str], tuple[str, Any]]
"""From modality and video id to an array and its place; KeyError or OSError where it is missing."""


def read_teachers(
    folder: Path, filenames: Sequence[str], layout: DataLayout = LLP
) -> tuple[Teachers, list[FileProblem]]:
    """Read what the teachers in a folder say of some videos, one video after the other.

    Args:
        folder: in one of the layouts above.
        filenames: N names.
        layout: T, the classes, and how files of a video are named.

    Returns:
        The answers, and what cannot be used of them; answers with a problem are 0.

    Raises:
        InputError: none of the layouts is there, or an archive cannot be read.
    """
    source = _source(folder)
    shape = (layout.num_segments, len(layout.classes))
    answers = np.zeros((2, len(filenames), *shape), TEACHER_DTYPE)
    problems = []
    for row, filename in enumerate(filenames):
        for modality in (0, 1):
            found = _read(source, modality, layout.video(filename), shape)
            if isinstance(found, FileProblem):
                problems.append(found)
            else:
                answers[modality, row] = found
    return (answers[0], answers[1]), problems


def _source(folder: Path) -> _Source:
    for names in FOLDERS:
        paths = [folder / name for name in names]
        if all(path.is_dir() for path in paths):
            return lambda modality, video: _load(paths[modality] / f"{video}.npy")
    for name in ARCHIVES:
        path = folder / name
        if path.is_file():
            labels = [read_label_archive(path, key) for key in ARCHIVE_KEYS]
            return lambda modality, video: (f"{path}: {ARCHIVE_KEYS[modality]}", labels[modality][video])
    known = ", ".join([*(" and ".join(names) for names in FOLDERS), *ARCHIVES])
    found = "no such folder" if not folder.is_dir() else "none of the known layouts"
    raise InputError(f"--teacher {folder}: {found}; expected a folder with one of: {known}")


def _load(path: Path) -> tuple[str, Any]:
    return str(path), np.load(path, allow_pickle=False)


def _read(
    source: _Source, modality: int, video: str, shape: tuple[int, int]
) -> NDArray[np.float16] | FileProblem:
    """Return a video's answers of one modality, or what is wrong with them."""
    expected = f"numbers from 0 to 1 of shape {shape}"
    kind = ("audio teacher", "visual teacher")[modality]
    try:
        place, array = source(modality, video)
    except (KeyError, FileNotFoundError) as error:
        place = str(getattr(error, "filename", None) or kind)
        return FileProblem(video, place, "missing", expected, "nothing")
    except (OSError, ValueError) as error:
        return FileProblem(video, kind, "unreadable", expected, " ".join(str(error).split()))
    values = np.asarray(array)
    if values.shape != shape or values.dtype.kind not in "biuf":
        return FileProblem(video, place, "wrong shape", expected, f"{values.dtype} of shape {values.shape}")
    if not ((values >= 0) & (values <= 1)).all():
        return FileProblem(video, place, "out of range", expected, f"{values.min()} to {values.max()}")
    return values.astype(TEACHER_DTYPE)
