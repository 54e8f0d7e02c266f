"""Files of a few made-up videos in the layouts that docs/datasets/ begins with, in the working directory."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from rlld_gym.data.classes import CLASSES
from rlld_gym.data.label_names import join_names
from rlld_gym.data.llp.annotation_files import DENSE_FILES, PLAIN_FILES, WEAK_FILES

COUNTS = {"train": 16, "val": 8, "test": 6}
OWN = ("Dog", "Siren, ambulance", "Rain", "Piano", "Steps", "Door", "Wind")
Event = tuple[str, int, int, str]


def _videos(generator: np.random.Generator, classes: Sequence[str]) -> dict[str, list[list[str]]]:
    """Return one or two classes for each video of each split."""
    return {
        split: [
            [classes[i] for i in sorted(generator.choice(len(classes), 1 + row % 2, replace=False))]
            for row in range(number)
        ]
        for split, number in COUNTS.items()
    }


def _write_table(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]], tabs: bool) -> None:
    path.parent.mkdir(exist_ok=True)
    if tabs:
        lines = ["\t".join(map(str, row)) for row in (head, *rows)]
        path.write_text("\n".join(lines) + "\n")
        return
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])


def _events(labels: dict[str, list[list[str]]], segments: int, name: str) -> list[Event]:
    """Return an event for each label of validation and test videos."""
    return [
        (name.format(split, row), row % segments, row % segments + 2, label)
        for split in ("val", "test")
        for row, names in enumerate(labels[split])
        for label in names
        if row % segments + 2 <= segments
    ]


def _annotations(
    folder: str, labels: dict[str, list[list[str]]], name: str, events: Sequence[Event], tabs: bool
) -> None:
    roles = WEAK_FILES | DENSE_FILES if tabs else PLAIN_FILES
    for split, videos in labels.items():
        rows = [(name.format(split, row), join_names(names)) for row, names in enumerate(videos)]
        _write_table(Path(folder, roles[split]), ("filename", "event_labels"), rows, tabs)
    if events:
        head = ("filename", "onset", "offset", "event_labels")
        for modality in DENSE_FILES:
            _write_table(Path(folder, roles[modality]), head, events, tabs)


def _features(generator: np.random.Generator, shapes: dict[str, tuple[int, int]], files: list[str]) -> None:
    for folder, shape in shapes.items():
        Path("features", folder).mkdir(parents=True)
        for name in files:
            np.save(f"features/{folder}/{name}.npy", generator.normal(size=shape).astype(np.float32))


def _llp_like(shapes: dict[str, tuple[int, int]]) -> None:
    generator = np.random.default_rng(0)
    labels, name = _videos(generator, CLASSES), "{:_<6}-{:04d}_30_40"
    _annotations("annotations", labels, name, _events(labels, 10, name), tabs=True)
    _features(generator, shapes, [name.format(s, row)[:11] for s in labels for row in range(len(labels[s]))])


def llp() -> None:
    """Make LLP's folders."""
    _llp_like({"vggish": (10, 5), "res152": (80, 6), "r2plus1d_18": (10, 3)})


def clip_clap() -> None:
    """Make LLP's annotations and embeddings."""
    _llp_like({"clap": (10, 5), "clip": (160, 6)})


def ave() -> None:
    """Make AVE's files; one id occurs twice."""
    generator = np.random.default_rng(0)
    classes = [f"Class, number {i}" if i % 9 == 0 else f"Class {i}" for i in range(28)]
    number = 56
    lines = [f"{classes[i % 28]}&{i // 2:011d}&good&{i % 5}&{i % 5 + 4}" for i in range(number)]
    Path("Annotations.txt").write_text("\n".join(["Category&VideoID&Quality&StartTime&EndTime", *lines]))
    arrays = {"audio_feature": (number, 10, 5), "visual_feature": (number, 10, 2, 2, 6)}
    parts = np.split(generator.permutation(number), [40, 48])
    for name, part in zip(("train", "val", "test"), parts, strict=True):
        with h5py.File(f"{name}_order.h5", "w") as file:
            file["order"] = part
    for name, shape in arrays.items():
        with h5py.File(f"{name}.h5", "w") as file:
            file["avadataset"] = generator.normal(size=shape)


def unav100() -> None:
    """Make annotations in seconds and features of any length."""
    generator = np.random.default_rng(0)
    labels = _videos(generator, [f"class {i}" for i in range(100)])
    labels["train"][0] = [f"class {i}" for i in range(100)]  # so that all classes occur
    database = {}
    for split, videos in labels.items():
        for row, names in enumerate(videos):
            duration, rows = 20.0 + 5 * (row % 9), 9 + row
            events = [{"label": label, "segment": [1.2, 7.9]} for label in names]
            subset = {"val": "validation"}.get(split, split)
            database[f"{split}_{row}"] = {"subset": subset, "duration": duration, "annotations": events}
            for modality, size in (("audio", 5), ("visual", 6)):
                Path("raw", modality).mkdir(parents=True, exist_ok=True)
                np.save(f"raw/{modality}/{split}_{row}.npy", generator.normal(size=(rows, size)))
    Path("annotations.json").write_text(json.dumps({"database": database}))


def own() -> None:
    """Make tables and features of 20 segments; a file is missing, and a part of the videos has been watched."""
    generator = np.random.default_rng(0)
    labels, name = _videos(generator, OWN), "{} clip {}"
    _annotations("annotations", labels, name, [], tabs=False)
    few = [event for event in _events(labels, 20, name) if "clip 1" not in event[0]]
    _annotations("watched", labels, name, few, tabs=False)
    Path("classes.txt").write_text("\n".join(OWN) + "\n")
    files = [name.format(split, row) for split in labels for row in range(len(labels[split]))]
    _features(generator, {"audio": (20, 5), "video": (20, 6)}, files)
    Path("features/video/train clip 3.npy").unlink()
