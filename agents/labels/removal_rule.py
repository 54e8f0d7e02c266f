"""From removal probabilities to removed labels."""

from dataclasses import dataclass

from torch import Tensor

from rlld_gym.denoising.labels import EMPTY_RULES, EmptyRule, Revision, revise_labels
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class RemovalRule:
    """Which labels are removed whose removal probability is known.

    Attributes:
        threshold: labels whose removal probability is above it are removed, in (0, 1).
        empty_rule: "video" undoes the removals of a video that would lose its last label in both modalities,
            "modality" those of a modality that would lose its last label.

    Raises:
        InputError: a threshold outside (0, 1), or an unknown empty rule.
    """

    threshold: float = 0.5
    empty_rule: EmptyRule = "video"

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        if not 0 < self.threshold < 1:
            raise InputError(f"--threshold: found {self.threshold}, expected a probability between 0 and 1")
        if self.empty_rule not in EMPTY_RULES:
            raise InputError(
                f"--empty-rule: found {self.empty_rule!r}, expected one of {', '.join(EMPTY_RULES)}"
            )

    def revise(self, labels: Tensor, probability: Tensor) -> Revision:
        """Return what is left of labels.

        Args:
            labels: (V, C) 0 or 1, of both modalities.
            probability: (V, 2, C), of removing each label, audio then visual.
        """
        return revise_labels(labels, labels, probability > self.threshold, self.empty_rule)


DEFAULT_RULE = RemovalRule()
"""More probable than not; no video loses its last label."""
