"""How networks are best trained on a data set, by its number of training videos: the one place that decides it."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

FEW_VIDEOS: Final = 3000
"""Training videos up to which a narrow network with many epochs is recommended."""


class Training(NamedTuple):
    """A recipe by its name, which decides the epochs, and the width of the network."""

    recipe: str
    hidden_size: int

    def __str__(self) -> str:
        return f"recipe {self.recipe}, hidden size {self.hidden_size}"


_FEW: Final = Training("compact-tiny", 32)
_MANY_ON_A_CPU: Final = Training("compact", 64)
_AS_PUBLISHED: Final = Training("rlld", 512)


def recommended_training(train_videos: int, noted: Mapping[str, Any] | None = None) -> Training:
    """Return how to train on a data set.

    Args:
        train_videos: how many training videos there are.
        noted: what the features' maker recommends, "recipe" and "hidden_size", possibly for more videos than there
            are. It holds, unless it names a wide network for few videos. None, or empty: nothing.

    Returns:
        A narrow network with many epochs for few videos, else the published one.
    """
    few = train_videos <= FEW_VIDEOS
    usual = _FEW if few else _AS_PUBLISHED
    note = Training(**{**usual._asdict(), **(noted or {})})
    return usual if few and _is_wide(note.hidden_size, usual) else note


def faster_on_cpu(train_videos: int, hidden_size: int) -> Training | None:
    """Return what takes much less time on a CPU than networks of a width; None where they are not much wider."""
    faster = _FEW if train_videos <= FEW_VIDEOS else _MANY_ON_A_CPU
    return faster if _is_wide(hidden_size, faster) else None


def _is_wide(hidden_size: int, than: Training) -> bool:
    return hidden_size > 2 * than.hidden_size
