"""The distribution of a policy's actions: independent removal bits, some of which are not free."""

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.denoising.labels import FREE


class MaskedBernoulli:
    """Independent Bernoulli bits given their logits; bits that the mask fixes count for nothing.

    A removal bit of a label that is absent changes nothing, so it says nothing about how good the policy is:
    it is left out of the log-probability and of the entropy.

    Args:
        logits: (..., 2, C) float, log-odds that a bit is 1 (remove); axis -2: 0 audio branch, 1 visual.
        mask: same shape, integer: 0 or 1 where the bit has that value, 2 where it is free. None: all free.
    """

    def __init__(self, logits: Tensor, mask: Tensor | None = None):
        if mask is not None and mask.shape != logits.shape:
            raise ValueError(f"action mask of shape {tuple(mask.shape)}, expected {tuple(logits.shape)}")
        self.logits = logits
        self.mask = torch.full_like(logits, FREE, dtype=torch.int8) if mask is None else mask
        self.free = self.mask == FREE

    def probabilities(self) -> Tensor:
        """Return each bit's probability of a 1, (..., 2, C) in [0, 1]; that of a fixed bit is its value."""
        return torch.where(self.free, torch.sigmoid(self.logits), self.mask.to(self.logits.dtype))

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw an action, (..., 2, C) int8 of 0 and 1, on the generator's device."""
        probabilities = self.probabilities().detach().to(generator.device)
        uniform = torch.rand(probabilities.shape, generator=generator, device=generator.device)
        return (uniform < probabilities).to(torch.int8)

    def mode(self, threshold: float = 0.5) -> Tensor:
        """Return the action that sets the bits whose probability is above ``threshold``, (..., 2, C) int8."""
        return (self.probabilities() > threshold).to(torch.int8)

    def log_probabilities(self, action: Tensor) -> Tensor:
        """Return log pi of each bit of ``action``, (..., 2, C); 0 where the bit is fixed.

        Args:
            action: (..., 2, C), 0 or 1, any dtype.
        """
        signed_logits = torch.where(action.bool(), self.logits, -self.logits)
        return torch.where(self.free, functional.logsigmoid(signed_logits), 0.0)

    def entropy(self) -> Tensor:
        """Return the entropy in nats per branch, (..., 2): the sum over the free bits of the branch."""
        probabilities = torch.sigmoid(self.logits)
        entropy = functional.softplus(self.logits) - probabilities * self.logits
        return torch.where(self.free, entropy, 0.0).sum(-1)

    def divergence(self, reference: "MaskedBernoulli") -> Tensor:
        """Return KL(self || reference) in nats per branch, (..., 2): the sum over the free bits of the branch.

        Args:
            reference: a distribution of the same shape and mask.
        """
        probabilities = torch.sigmoid(self.logits)
        removal, keeping = (
            functional.logsigmoid(sign * self.logits) - functional.logsigmoid(sign * reference.logits)
            for sign in (1, -1)
        )
        divergence = probabilities * removal + (1 - probabilities) * keeping
        return torch.where(self.free, divergence, 0.0).sum(-1)
