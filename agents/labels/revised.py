"""Labels of both modalities, and as a policy leaves them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class LabelSet(NamedTuple):
    """Labels of both modalities, (N, C) bool each."""

    audio: NDArray[np.bool_]
    visual: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RevisedLabels:
    """Labels after a policy's removals.

    Attributes:
        audio: (N, C) bool, the audio labels that are left.
        visual: (N, C) bool, the visual labels that are left.
        removal_probability: (N, 2, C) float32 in [0, 1], the policy's probability of removing a label, audio
            then visual; 0 where there is no label. It is not touched by the threshold or the empty rule.
    """

    audio: NDArray[np.bool_]
    visual: NDArray[np.bool_]
    removal_probability: NDArray[np.float32]

    @property
    def label_set(self) -> LabelSet:
        """The labels that are left, alone."""
        return LabelSet(self.audio, self.visual)
