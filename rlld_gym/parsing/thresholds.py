"""Where a probability counts as positive: one half, unless a system says otherwise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from rlld_gym.errors import InputError

Threshold = float | tuple[float, ...]
"""One number for all classes, or one for each."""


@dataclass(frozen=True)
class Thresholds:
    """Numbers that probabilities must reach; JSON-able.

    Attributes:
        audio: of the pooled probability that admits a class to the audio track.
        visual: likewise, visual.
        segment: of a segment's probability, in both tracks.
    """

    audio: Threshold = 0.5
    visual: Threshold = 0.5
    segment: float = 0.5

    def __post_init__(self) -> None:
        """Check the numbers, and take lists, as a file has them, for tuples (InputError)."""
        for name in ("audio", "visual", "segment"):
            value = getattr(self, name)
            if isinstance(value, Sequence):
                object.__setattr__(self, name, tuple(value))
            numbers = value if isinstance(value, Sequence) else (value,)
            if not numbers or not all(0 < number < 1 for number in numbers):
                raise InputError(f"threshold {name!r} is {value}: expected numbers between 0 and 1")

    def pooled(self, like: Tensor) -> Tensor | float:
        """Return the thresholds of pooled probabilities ``like`` (..., C): (2, C), audio first, or one number.

        Raises:
            InputError: there are thresholds for another number of classes.
        """
        if not isinstance(self.audio, tuple) and self.audio == self.visual:
            return self.audio  # nothing to copy to a device, which would wait for it
        classes = like.shape[-1]
        rows = []
        for name, value in (("audio", self.audio), ("visual", self.visual)):
            numbers = value if isinstance(value, tuple) else (value,) * classes
            if len(numbers) != classes:
                raise InputError(
                    f"threshold {name!r} has {len(numbers)} numbers: expected {classes}, one a class"
                )
            rows.append(numbers)
        return torch.tensor(rows, dtype=like.dtype, device=like.device)


HALVES: Final = Thresholds()
"""One half for everything."""
