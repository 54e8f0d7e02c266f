"""What is known of a feature store without reading its arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoreHeader:
    """What is known of a store without reading its arrays.

    Attributes:
        name: name of the data set, as tables show it.
        classes: the C class names.
        counts: videos per split, in the order train, val, test.
        dtype: "float16" or "float32".
        audio_size: Da. visual_2d_size: D2. visual_3d_size: D3, 0 where there is no 3D stream.
        attributes: everything else, JSON-able.
    """

    name: str
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    dtype: str
    audio_size: int
    visual_2d_size: int
    visual_3d_size: int
    attributes: Mapping[str, Any]

    @property
    def network_sizes(self) -> dict[str, int]:
        """The sizes of a task network that the data set decides."""
        return {
            "audio_size": self.audio_size,
            "visual_2d_size": self.visual_2d_size,
            "visual_3d_size": self.visual_3d_size,
            "num_classes": len(self.classes),
        }
