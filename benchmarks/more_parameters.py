"""Policies with more to explore than the shift of each class: gains, or heads in a random subspace."""

import math
from typing import Any, Self

import torch
from torch import Tensor, nn

from rlld_agents.policies.evidence import EvidencePolicy

SUBSPACE = 16
"""Numbers that the heads have in their random subspace."""


class GainsPolicy(EvidencePolicy):
    """A policy whose weights of the evidence are explored as well, in units of a quarter."""

    def __init__(self, *sizes: Any, **options: Any) -> None:
        super().__init__(*sizes, **options)
        self.gain_steps = nn.Parameter(torch.zeros(2, 1))

    @classmethod
    def of(cls, policy: EvidencePolicy) -> Self:
        """Return one that acts like a policy."""
        own = cls(**policy.sizes()).to(policy.shift.device)
        own.load_state_dict(policy.state_dict(), strict=False)
        return own

    def explored_parameters(self) -> dict[str, nn.Parameter]:
        """Return the shifts and the gains."""
        return {"shift": self.shift, "gain_steps": self.gain_steps}

    def forward(self, audio: Tensor, visual: Tensor, found: Tensor | None = None) -> Tensor:
        """Return the log-odds of removal; see the base class."""
        with torch.no_grad():
            self.gain.copy_(1 + self.gain_steps / 4)
        return super().forward(audio, visual, found)


class HeadsPolicy(EvidencePolicy):
    """A policy whose heads' weights are explored as well, in a random subspace."""

    directions: Tensor

    def __init__(self, *sizes: Any, **options: Any) -> None:
        super().__init__(*sizes, **{**options, "heads": True})
        self.subspace = nn.Parameter(torch.zeros(SUBSPACE))
        weights = [head.logit.weight for head in self._heads]
        self.register_buffer("directions", torch.zeros(sum(w.numel() for w in weights), SUBSPACE))

    @classmethod
    def of(cls, policy: EvidencePolicy, seed: int) -> Self:
        """Return one that acts like a policy.

        Args:
            policy: without heads.
            seed: of the subspace.
        """
        own = cls(**policy.sizes()).to(policy.shift.device)
        own.load_state_dict(policy.state_dict(), strict=False)
        generator = torch.Generator().manual_seed(seed)
        # Features have about unit variance: a unit step of all numbers moves logits by about one half.
        scale = 0.5 / math.sqrt(own._heads[0].logit.in_features * SUBSPACE)
        own.directions.copy_(scale * torch.randn(own.directions.shape, generator=generator))
        return own

    def explored_parameters(self) -> dict[str, nn.Parameter]:
        """Return the shifts and the heads' numbers."""
        return {"shift": self.shift, "subspace": self.subspace}

    def forward(self, audio: Tensor, visual: Tensor, found: Tensor | None = None) -> Tensor:
        """Return the log-odds of removal; see the base class."""
        weights = [head.logit.weight for head in self._heads]
        with torch.no_grad():
            own = torch.split(self.directions @ self.subspace, [weight.numel() for weight in weights])
            for weight, values in zip(weights, own, strict=True):
                weight.copy_(values.view_as(weight))
        return super().forward(audio, visual, found)
