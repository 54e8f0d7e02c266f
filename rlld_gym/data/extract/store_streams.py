"""Which of the extracted streams become which part of a store."""

from collections.abc import Mapping, Sequence
from typing import Final

from rlld_gym.data.llp.npy_layout import FeatureFolders
from rlld_gym.errors import InputError

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "audio": ("vggish", "clap"),
    "visual_2d": ("res152", "clip", "r2plus1d_18"),
    "visual_3d": ("r2plus1d_18",),
}
"""Part of a store -> the streams that may be it, the first that is there; 2D features may have a row for each
segment, so a 3D stream alone can stand there."""


def parts_of_store(streams: Sequence[str]) -> dict[str, str]:
    """Return part -> its stream, without the parts that no stream is left for."""
    free, parts = list(streams), {}
    for part, names in CHOICES.items():
        chosen = next((name for name in names if name in free), None)
        if chosen is not None:
            free.remove(chosen)
            parts[part] = chosen
    return parts


def store_folders(streams: Sequence[str]) -> FeatureFolders:
    """Return the folders of streams that are all to be in one store.

    Raises:
        InputError: sound or pictures are missing, or there are more streams than a store has parts.
    """
    parts = parts_of_store(streams)
    left = [stream for stream in streams if stream not in parts.values()]
    if left or "audio" not in parts or "visual_2d" not in parts:
        found = f"streams {', '.join(streams)}"
        what = f"no place for {', '.join(left)}" if left else "sound or pictures are missing"
        raise InputError(
            f"{found}: {what} in a store; expected one of vggish and clap, one of res152 and clip, and r2plus1d_18 "
            "beside that or in its place"
        )
    return FeatureFolders(parts["audio"], parts["visual_2d"], parts.get("visual_3d"))
