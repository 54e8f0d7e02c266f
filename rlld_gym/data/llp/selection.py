"""Which videos of the annotation files a store gets, and what is said of the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlld_gym.data.classes import SPLITS
from rlld_gym.data.llp.annotations import Annotations, SplitAnnotations
from rlld_gym.data.llp.layout import DataLayout
from rlld_gym.data.llp.npy_scan import FeatureScan, VideoFiles
from rlld_gym.errors import InputError
from rlld_gym.files import write_text


@dataclass(frozen=True, eq=False)
class Selection:
    """The videos of a store.

    Attributes:
        splits: their annotations, by split.
        without_features: names of videos that were left out because a file of theirs is missing, by split.
    """

    splits: Mapping[str, SplitAnnotations]
    without_features: Mapping[str, Sequence[str]]

    @property
    def filenames(self) -> list[str]:
        """Names of all videos, split by split."""
        return [name for split in self.splits.values() for name in split.filenames]

    def left_out(self) -> dict[str, dict[str, int]]:
        """Return how many videos were left out, by reason and split; JSON-able, only what there is."""
        reasons = {
            "without features": {name: len(self.without_features.get(name, ())) for name in SPLITS},
            "not annotated": {name: len(self.splits[name].unlisted) for name in SPLITS},
        }
        counted = {reason: {k: v for k, v in counts.items() if v} for reason, counts in reasons.items()}
        return {reason: counts for reason, counts in counted.items() if counts}

    def write_list(self, path: Path) -> None:
        """Write the names of the videos without features, or remove a list of an earlier import."""
        lines = [f"{split}\t{name}" for split, names in self.without_features.items() for name in names]
        if lines:
            write_text(path, "\n".join(["split\tfilename", *lines]) + "\n")
        else:
            path.unlink(missing_ok=True)


def first_videos(loaded: Annotations, limit: int | None) -> Selection:
    """Return all videos, or only the first ``limit`` of the training split."""
    splits = {name: loaded.split(name) for name in SPLITS}
    if limit is not None:
        train = splits["train"]
        splits["train"] = train.rows(np.arange(len(train.filenames)) < limit)
    return Selection(splits, {})


def with_features(
    selection: Selection, files: Sequence[VideoFiles], scan: FeatureScan, layout: DataLayout
) -> tuple[Selection, list[VideoFiles]]:
    """Leave out the videos of which a feature file is missing.

    Args:
        selection: the videos.
        files: their files, in the same order.
        scan: of these files.
        layout: how files are named.

    Raises:
        InputError: nothing is left of a split.
    """
    missing = scan.missing()
    splits, without = {}, {}
    for name, split in selection.splits.items():
        kept = np.array([layout.video(filename) not in missing for filename in split.filenames], dtype=bool)
        if not kept.any():
            first = layout.feature_path(Path("FOLDER"), split.filenames[0])
            raise InputError(
                f"split {name!r}: none of its {len(kept)} videos has all feature files; expected files such as "
                f"{first}; --feature-file and the options --audio-folder, ... say how they are named"
            )
        splits[name] = split.rows(kept)
        without[name] = [filename for filename, there in zip(split.filenames, kept, strict=True) if not there]
    return Selection(splits, without), [video for video in files if video.video not in missing]
