"""Data sets: LLP annotations, feature stores and the synthetic twin.

Importing this package does not import torch; ``FeatureStore.to`` and the tensors' own module do.
"""

from typing import TYPE_CHECKING, Any

from rlld_gym.data.catalog import open_data
from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS, SPEECH
from rlld_gym.data.split import Split
from rlld_gym.data.store.feature_store import FeatureStore

if TYPE_CHECKING:
    from rlld_gym.data.llp.annotations import load_annotations
    from rlld_gym.data.twins.generation import twin

__all__ = [
    "CLASSES",
    "NUM_SEGMENTS",
    "SPEECH",
    "FeatureStore",
    "Split",
    "load_annotations",
    "open_data",
    "twin",
]


def __getattr__(name: str) -> Any:
    """Import the annotation reader and the twin's generator on first use."""
    if name == "load_annotations":
        from rlld_gym.data.llp.annotations import load_annotations  # noqa: PLC0415

        return load_annotations
    if name == "twin":
        from rlld_gym.data.twins.generation import twin  # noqa: PLC0415

        return twin
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet: for tab completion."""
    return sorted({*globals(), *__all__})
