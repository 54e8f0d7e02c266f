"""Log-odds of probabilities that may be 0 or 1."""

import torch
from torch import Tensor

NEAREST: float = 1e-4
"""Probabilities are kept this far from 0 and 1, so that their log-odds stay finite."""


def log_odds(probability: Tensor) -> Tensor:
    """Return the log-odds of probabilities, at most 9.21 and at least -9.21.

    Args:
        probability: float, in [0, 1].
    """
    return torch.logit(probability, eps=NEAREST)
