"""Policies with other things to explore than the shift of each class: shares, gains, heads in a random subspace."""

import math
from typing import Any, Self

import torch
from torch import Tensor, nn

from rlld_agents.policies.evidence import EvidencePolicy
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.denoising.evidence import known_evidence
from rlld_gym.envs.removal_rates import removal_shares

SUBSPACE = 16
"""Numbers that the heads have in their random subspace."""


class SharesPolicy(EvidencePolicy):
    """A policy that removes shares of a class's labels, those of least evidence: the actions of the rates form."""

    ordered: Tensor
    counts: Tensor

    def __init__(self, *sizes: Any, **options: Any) -> None:
        super().__init__(*sizes, **options)
        self.action = nn.Parameter(torch.zeros_like(self.shift))

    @classmethod
    def of(cls, policy: EvidencePolicy, split: SplitTensors) -> Self:
        """Return one that begins with the middle shares.

        Args:
            policy: whose parser gives the evidence.
            split: the training videos.
        """
        own = cls(**policy.sizes()).to(policy.shift.device)
        own.load_state_dict(policy.state_dict(), strict=False)
        present = (split.labels > 0).unsqueeze(1)
        found = known_evidence(own.network, split).masked_fill(~present, torch.inf)
        own.register_buffer("ordered", found.sort(dim=0).values)
        own.register_buffer("counts", present.sum(0).expand(2, -1))
        return own

    def explored_parameters(self) -> dict[str, nn.Parameter]:
        """Return the action."""
        return {"action": self.action}

    def forward(self, audio: Tensor, visual: Tensor, found: Tensor | None = None) -> Tensor:
        """Return the log-odds of removal, positive for labels with less evidence than the share's last one."""
        shares = torch.from_numpy(removal_shares(self.action.detach().cpu().numpy())).to(self.counts.device)
        last = (shares * self.counts).long().clamp(max=len(self.ordered) - 1)
        threshold = self.ordered.gather(0, last.unsqueeze(0))[0]
        with torch.no_grad():
            self.shift.copy_(torch.where(self.counts > 0, (threshold - self.centre) / self.spread, 0.0))
        return super().forward(audio, visual, found)


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
