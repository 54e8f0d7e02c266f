"""What is known of a feature store without its arrays: sizes, classes, counts and attributes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlld_gym.data.classes import SPEECH_NAME, SPLITS
from rlld_gym.data.fingerprint import FEATURES, LABELS, DataFingerprint, joint_checksum
from rlld_gym.data.split import Split
from rlld_gym.data.store.recommended import Training, recommended_training


def default_attributes(train_videos: int, noted: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what a store says about itself where its maker said nothing.

    Args:
        train_videos: how many training videos it has.
        noted: "recipe" and "hidden_size" as the features' maker noted them, see `recommended_training`.
    """
    return {**recommended_training(train_videos, noted)._asdict(), "sources": {}}


@dataclass(frozen=True)
class StoreHeader:
    """What is known of a store without reading its arrays.

    Attributes:
        name: name of the data set, as tables show it.
        classes: the C class names.
        counts: videos per split, in the order train, val, test.
        dtype: "float16" or "float32".
        audio_size: Da. visual_2d_size: D2. visual_3d_size: D3, 0 where there is no 3D stream.
        num_segments: T, into how many segments of equal length a video is cut.
        attributes: everything else, JSON-able.
    """

    name: str
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    dtype: str
    audio_size: int
    visual_2d_size: int
    visual_3d_size: int
    num_segments: int
    attributes: Mapping[str, Any]

    @property
    def never_visible(self) -> str | None:
        """The class whose visual labels are taken for noise by the rule among the controls; None: there is none."""
        named = self.attributes.get("never_visible", SPEECH_NAME)
        return str(named) if named in self.classes else None

    @property
    def never_visible_index(self) -> int | None:
        """Its index among the classes."""
        return None if self.never_visible is None else self.classes.index(self.never_visible)

    @property
    def rule_note(self) -> str:
        """What must be said beside tables with the rule among the controls; empty where it is about Speech."""
        if self.never_visible == SPEECH_NAME:
            return ""
        if self.never_visible is None:
            return (
                'There is no row "no visual Speech": the data have no such class, and name no other that is heard '
                "and hardly ever seen ('rlld data import --never-visible NAME')."
            )
        return (
            f'The rule among the controls takes "{self.never_visible}" for never visible: the row "no visual '
            f'{self.never_visible}", which files, options and comparisons of agents call "no-visual-speech".'
        )

    @property
    def left_out_note(self) -> str | None:
        """What must be said of row numbers where training videos were left out at the import; None: none were."""
        sources = self.attributes.get("sources")
        if not isinstance(sources, Mapping) or "left_out" not in sources:
            return None
        left_out = sources["left_out"].get("without features", {}).get("train", 0)
        if not left_out:
            return None
        kept, tables = self.counts["train"], ("AVVP_train.csv", "train.csv")
        file = next((name for name in tables if name in sources.get("annotations", {})), tables[0])
        first = "" if sources.get("limit") is None else "first "
        return (
            f"rows count the {kept} videos of the store, not the {first}{kept + left_out} of {file}: code that "
            "reads them must leave out what the import left out, which it listed in STORE.skipped.txt"
        )

    @property
    def recommended(self) -> Training:
        """How to train on it, where nothing else is asked for."""
        return Training(str(self.attributes["recipe"]), int(self.attributes["hidden_size"]))

    @property
    def network_sizes(self) -> dict[str, int]:
        """The sizes of a task network that the data set decides."""
        return {
            "audio_size": self.audio_size,
            "visual_2d_size": self.visual_2d_size,
            "visual_3d_size": self.visual_3d_size,
            "num_classes": len(self.classes),
        }

    def fingerprint(self, checksums: Mapping[str, str]) -> DataFingerprint:
        """Return what identifies the data set, from the SHA-256, in hexadecimal, of each of its datasets."""
        sources = self.attributes.get("sources")
        seed = sources.get("seed") if isinstance(sources, Mapping) else None
        return DataFingerprint(
            name=self.name,
            seed=seed if isinstance(seed, int) else None,
            classes=self.classes,
            videos=dict(self.counts),
            segments=self.num_segments,
            audio_size=self.audio_size,
            visual_2d_size=self.visual_2d_size,
            visual_3d_size=self.visual_3d_size,
            labels=joint_checksum(checksums, LABELS),
            features=joint_checksum(checksums, FEATURES),
        )


def header_of(
    splits: Mapping[str, Split],
    classes: tuple[str, ...],
    visual_2d_size: int,
    attributes: Mapping[str, Any],
    name: str,
) -> StoreHeader:
    """Return the header of three splits; ValueError where they do not fit together."""
    if set(splits) != set(SPLITS):
        raise ValueError(f"splits {sorted(splits)}: expected exactly {', '.join(SPLITS)}")
    train = splits["train"]
    for key in SPLITS:
        split = splits[key]
        if split.name != key:
            raise ValueError(f"the split given as {key!r} calls itself {split.name!r}")
        if len(split) == 0:
            raise ValueError(f"split {key!r} is empty; every split needs at least one video")
        found = (*_sizes(split), split.labels.shape[-1], split.audio.dtype)
        if found != (*_sizes(train), len(classes), train.audio.dtype):
            raise ValueError(
                f"split {key!r}: segments, sizes, classes or dtype {found} differ from the training split's"
            )
    if not 0 < visual_2d_size <= train.visual.shape[-1]:
        raise ValueError(f"visual_2d_size {visual_2d_size}: expected 1 to {train.visual.shape[-1]}")
    return StoreHeader(
        name=name,
        classes=classes,
        counts={key: len(splits[key]) for key in SPLITS},
        dtype=train.audio.dtype.name,
        audio_size=train.audio.shape[-1],
        visual_2d_size=visual_2d_size,
        visual_3d_size=train.visual.shape[-1] - visual_2d_size,
        num_segments=train.num_segments,
        attributes={**default_attributes(len(train)), **attributes},
    )


def _sizes(split: Split) -> tuple[int, int, int]:
    """Return T, Da and D2 + D3."""
    return split.num_segments, split.audio.shape[-1], split.visual.shape[-1]
