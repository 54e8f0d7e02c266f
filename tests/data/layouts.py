"""Annotation files and feature folders of a few videos, as the importer reads them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlld_gym.data.llp.annotation_files import DENSE_FILES, WEAK_FILES

NUMBERS = {"train": 7, "val": 2, "test": 3}
SIZES = {"vggish": (10, 5), "res152": (80, 6), "r2plus1d_18": (10, 3)}


@dataclass(frozen=True)
class Layout:
    """Where things are, and the ids of all videos in the order train, val, test."""

    annotations: Path
    features: Path
    ids: tuple[str, ...]

    def file(self, folder: str, row: int) -> Path:
        return self.features / folder / f"{self.ids[row]}.npy"


def make_layout(root: Path, seed: int = 0) -> Layout:
    """Write annotations of 7/2/3 videos, whose ids hold "_" and "-", and their features."""
    generator = np.random.default_rng(seed)
    annotations, features = root / "annotations", root / "features"
    annotations.mkdir(parents=True)
    ids: list[str] = []
    events = []
    for split, number in NUMBERS.items():
        rows = []
        for index in range(number):
            ids.append(f"{split[:2]}_-{index:03d}-_xy")
            rows.append(f"{ids[-1]}_30_40\tSpeech,Dog")
            if split != "train":
                events.append(f"{ids[-1]}_30_40\t{index}\t{index + 3}\tDog")
        table = "\n".join(["filename\tevent_labels", *rows]) + "\n"
        (annotations / WEAK_FILES[split]).write_text(table)
    for file in DENSE_FILES.values():
        (annotations / file).write_text("\n".join(["filename\tonset\toffset\tevent_labels", *events]) + "\n")
    for folder, shape in SIZES.items():
        (features / folder).mkdir(parents=True)
        for video in ids:
            np.save(features / folder / f"{video}.npy", generator.normal(size=shape).astype(np.float32))
    return Layout(annotations, features, tuple(ids))
