"""The layout in which LLP's features are public: one npy file per video and stream.

A feature folder holds ``vggish/ID.npy`` (10, Da), ``res152/ID.npy`` (80, D2) and ``r2plus1d_18/ID.npy``
(10, D3); ID is the first 11 characters of a video's filename, and frames 8 t to 8 t + 7 belong to segment t.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.data.video_names import ID_LENGTH
from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path, write_json

SOURCE_FILE: Final = "source.json"
"""File of a feature folder that says what made the features; read by the importer where it is there."""

_JITTER: Final = 0.2


@dataclass(frozen=True)
class FeatureFolders:
    """Names of the three folders of npy files; ``visual_3d`` None stands for features without a 3D stream."""

    audio: str = "vggish"
    visual_2d: str = "res152"
    visual_3d: str | None = "r2plus1d_18"

    def streams(self) -> dict[str, str]:
        """Return stream -> folder name, for the streams that there are."""
        named = {"audio": self.audio, "visual_2d": self.visual_2d, "visual_3d": self.visual_3d}
        return {stream: folder for stream, folder in named.items() if folder is not None}


def write_npy_layout(
    store: FeatureStore,
    folder: str | os.PathLike[str],
    frames: int = 80,
    *,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """Write a store's features as float32 npy files, each of them atomically.

    Args:
        store: the features to write; the 3D folder is left out where the store has no 3D features.
        folder: where the three folders are made. Files that this function wrote are replaced.
        frames: T writes the 2D features as they are; a multiple of T writes that many frames, which differ
            from one another but whose means over the frames of a segment are the 2D features up to float32
            rounding.
        seed: of the differences between frames.
        progress: called with (videos written, videos in all) after each video.

    Returns:
        The number of files written, without the note on their source.

    Raises:
        InputError: the folders hold files that this function did not write.
        ValueError: ``frames`` is not a positive multiple of T.
    """
    segments = store.num_segments
    if frames < segments or frames % segments:
        raise ValueError(f"frames is {frames}; expected a positive multiple of {segments}")
    root, number, total = Path(folder), 0, sum(store.header.counts.values())
    folders = FeatureFolders(visual_3d="r2plus1d_18" if store.visual_3d_size else None).streams()
    _refuse_features_of_others(root, folders)
    generator = np.random.default_rng(seed)
    about = {key: store.attributes[key] for key in ("hidden_size", "recipe", "sources")}
    write_json(root / SOURCE_FILE, {"name": store.name, **about})  # first: it says whose the files are
    for name in SPLITS:
        split = store.split(name)
        for row, filename in enumerate(split.filenames):
            visual = split.visual[row].astype(np.float32)
            arrays = {
                "audio": split.audio[row].astype(np.float32),
                "visual_2d": _spread(visual[:, : store.visual_2d_size], frames // segments, generator),
                "visual_3d": visual[:, store.visual_2d_size :],
            }
            for stream, stream_folder in folders.items():
                with atomic_path(root / stream_folder / f"{filename[:ID_LENGTH]}.npy") as temporary:
                    _save(temporary, arrays[stream])
            number += 1
            if progress is not None:
                progress(number, total)
    return number * len(folders)


def _refuse_features_of_others(root: Path, folders: Mapping[str, str]) -> None:
    """Raise InputError where files would be replaced that nothing says were made up: a user's own features."""
    if (root / SOURCE_FILE).is_file():
        return
    for name in folders.values():
        if (root / name).is_dir() and any((root / name).iterdir()):
            raise InputError(
                f"{root / name}: holds files already, and there is no {SOURCE_FILE} that says they were made up; "
                "name another folder"
            )


def _save(path: Path, array: NDArray[Any]) -> None:
    # np.save appends ".npy" to a path that lacks it, but not to an open file.
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def _spread(
    features: NDArray[np.float32], frames_per_segment: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return (T * frames_per_segment, D) frames around (T, D) features; zeros and signs stay as they are."""
    if frames_per_segment == 1:
        return features
    jitter = generator.uniform(-_JITTER, _JITTER, (len(features), frames_per_segment, 1))
    jitter -= jitter.mean(axis=1, keepdims=True)
    frames = features[:, None] * (1 + jitter).astype(np.float32)
    return frames.reshape(-1, features.shape[1])
