"""What can be learned from policies' decisions about videos that they did not learn from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rlld_agents.imitation.calibration import class_shifts
from rlld_agents.imitation.imitation import absent_classes
from rlld_agents.labels.estimate import RemovalEstimate, estimate_removals
from rlld_agents.labels.removal_rule import DEFAULT_RULE, RemovalRule
from rlld_gym.data.tensors import SplitTensors


def best_epoch(curve: Sequence[float]) -> int:
    """Return the epoch of the highest quality, counted from 1; the later one of equals."""
    return max(range(1, len(curve) + 1), key=lambda epoch: (curve[epoch - 1], epoch))


def split_into_folds(videos: int, folds: int, seed: int) -> Tensor:
    """Return the fold of each video (V,): random, and of equal sizes as far as possible."""
    order = torch.randperm(videos, generator=torch.Generator().manual_seed(seed))
    return (torch.arange(videos) % folds)[order]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Measures out-of-fold log-odds of removal, (V, 2, C), as policies give them.

    Attributes:
        validation: V videos with dense labels.
        fold: (V,) int64, the fold of each; its policy has not learned from it.
        never_visible: index of the class that quality is also measured without; None: there is none.
        prior_deviation: of the calibration; None: none.
        rule: which labels are removed.
    """

    validation: SplitTensors
    fold: Tensor
    never_visible: int | None
    prior_deviation: float | None = 0.5
    rule: RemovalRule = DEFAULT_RULE

    def parts(self) -> Iterator[Tensor]:
        """Yield which videos a fold has, (V,) bool, for each fold."""
        return (self.fold == number for number in range(int(self.fold.max()) + 1))

    def shift(self, logits: Tensor, chosen: Tensor | None = None) -> Tensor:
        """Return the shift (2, C) that calibrates, as far as some videos (V,) bool, or all, can tell."""
        if self.prior_deviation is None:
            return torch.zeros_like(logits[0])
        present = self.validation.labels
        if chosen is not None:
            present = present * chosen.unsqueeze(1)
        absent = absent_classes(self.validation)[0]
        return class_shifts(logits, absent, present, self.prior_deviation).to(logits.device)

    def quality(self, logits: Tensor, chosen: Tensor | None = None) -> float:
        """Return the quality of calibrated removals of some videos, or of all."""
        return self.estimate((logits + self.shift(logits, chosen)).sigmoid(), chosen).quality

    def estimate(self, probability: Tensor, chosen: Tensor | None = None) -> RemovalEstimate:
        """Return the quality of removals (V, 2, C) of some videos, or of all."""
        videos = self.validation
        if chosen is not None:
            videos, probability = _rows(videos, chosen), probability[chosen]
        return estimate_removals(probability, videos, self.never_visible, self.rule)

    def nested_probability(self, epochs: Sequence[Tensor]) -> Tensor:
        """Return removal probabilities whose epoch and shift were chosen, for each fold, by the other folds."""
        probability = torch.zeros_like(epochs[0])
        for part in self.parts():
            logits = epochs[best_epoch([self.quality(epoch, ~part) for epoch in epochs]) - 1]
            probability[part] = (logits + self.shift(logits, ~part)).sigmoid()[part]
        return probability * self.validation.labels.unsqueeze(1)


def _rows(videos: SplitTensors, chosen: Tensor) -> SplitTensors:
    """Return labels of some videos, with features that are not to be used."""
    assert videos.dense_audio is not None
    assert videos.dense_visual is not None
    return SplitTensors(
        videos.audio[:0],
        videos.visual[:0],
        videos.labels[chosen],
        videos.dense_audio[chosen],
        videos.dense_visual[chosen],
        videos.visual_2d_size,
    )
