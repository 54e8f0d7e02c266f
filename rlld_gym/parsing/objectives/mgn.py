"""MGN's objective: pooled cross-entropies, and class tokens to be told apart (Mo and Tian, NeurIPS 2022)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import MGN, TaskNetwork
from rlld_gym.parsing.objectives.base import (
    Batch,
    Objective,
    StepContext,
    encoded,
    require_network,
)
from rlld_gym.parsing.objectives.pooled import pooled_terms


class MGNObjective(Objective):
    """The terms of "pooled", and the cross-entropy of each class token with its own class."""

    stackable = True

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        mgn = require_network(self, network, MGN)
        sequences = encoded(mgn, batch, self.recipe)
        output = mgn.head(*sequences)
        pooled = pooled_terms(mgn, batch, output, sequences, targets=targets, recipe=self.recipe)
        return pooled + token_loss(mgn.token_logits())


def token_loss(token_logits: Sequence[Tensor]) -> Tensor:
    """Return the sum over modalities of the cross-entropies of (C, C) logits, whose row c is to be class c."""
    return torch.stack(
        [
            functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
            for logits in token_logits
        ]
    ).sum()
