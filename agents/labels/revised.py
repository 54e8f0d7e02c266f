"""Labels as a policy leaves them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
