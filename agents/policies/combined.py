"""What imitation has learned and what a parser finds, in one sum of log-odds."""

from typing import Any

import torch
from torch import Tensor, nn

from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_gym.data.tensors import SplitTensors


class CombinedPolicy(RemovalPolicy):
    """The sum of a policy's log-odds of removal and of those of an `EvidencePolicy`, whose shifts can be explored.

    Args:
        prior: a policy that is not explored, such as one that has learned by imitation.
        evidence: of the same data.

    Raises:
        ValueError: the two are for data of different sizes.
    """

    kind = "combined"
    uses_evidence = True
    initialized_labels = True

    def __init__(self, prior: RemovalPolicy, evidence: EvidencePolicy) -> None:
        super().__init__()
        sizes = [(part.audio_size, part.visual_size, part.num_classes) for part in (prior, evidence)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"a combined policy needs two of equal sizes, found {sizes[0]} and {sizes[1]}")
        self.prior = prior
        self.evidence = evidence
        self.audio_size, self.visual_size, self.num_classes = sizes[0]

    def forward(self, audio: Tensor, visual: Tensor, found: Tensor | None = None) -> Tensor:
        """Return the log-odds of removing each label; see the base class and `EvidencePolicy.forward`."""
        log_odds: Tensor = self.prior(audio, visual)
        own: Tensor = self.evidence(audio, visual, found)
        return log_odds + own

    def evidence_of(self, split: SplitTensors, indices: Tensor | None = None) -> Tensor:
        """Return the parser's evidence for videos of a split, (N, 2, C) float32."""
        return self.evidence.evidence_of(split, indices)

    def explored_parameters(self) -> dict[str, nn.Parameter]:
        """Return the shifts of the evidence's part: how much evidence a label of a class needs beside the prior."""
        return self.evidence.explored_parameters()

    def shift_logits(self, shift: Tensor) -> None:
        """Add (2, C) numbers to the log-odds."""
        self.evidence.shift_logits(shift)

    def sizes(self) -> dict[str, Any]:
        """Return make and sizes of both parts, JSON-able."""
        return {
            "prior": {"kind": self.prior.kind, "sizes": self.prior.sizes()},
            "evidence": {"kind": self.evidence.kind, "sizes": self.evidence.sizes()},
        }

    @torch.no_grad()
    def weigh_evidence(self, weight: float) -> None:
        """Let a deviation of evidence count as much as so much of the prior's log-odds."""
        self.evidence.gain.fill_(weight)
        self.evidence.shift.zero_()
