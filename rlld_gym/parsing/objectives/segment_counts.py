"""How many segments of a video are positive: the Poisson-binomial law of independent segments."""

import torch
from torch import Tensor

CLAMP = 1e-6
"""Probabilities are clamped to [CLAMP, 1 - CLAMP] before a logarithm; no gradient flows outside."""


def log_count_probabilities(probabilities: Tensor) -> Tensor:
    """Return the log-probability of every number of positives among independent segments.

    By the recursion f_t(n) = f_{t-1}(n) (1 - p_t) + f_{t-1}(n - 1) p_t, in logarithms.

    Args:
        probabilities: (..., T) float in [0, 1].

    Returns:
        (..., T + 1), finite; entry n belongs to n positives.
    """
    clamped = probabilities.clamp(CLAMP, 1 - CLAMP)
    absent, present = torch.log1p(-clamped), clamped.log()
    counts = torch.stack((absent[..., 0], present[..., 0]), -1)
    for segment in range(1, probabilities.shape[-1]):
        less, more = counts + absent[..., segment, None], counts + present[..., segment, None]
        middle = torch.logaddexp(less[..., 1:], more[..., :-1])
        counts = torch.cat((less[..., :1], middle, more[..., -1:]), -1)
    return counts


def log_at_least(log_counts: Tensor, least: Tensor) -> Tensor:
    """Return the log-probability that at least some number of segments is positive.

    Args:
        log_counts: (..., T + 1) from `log_count_probabilities`.
        least: (...) int64 in [0, T].
    """
    numbers = torch.arange(log_counts.shape[-1], device=log_counts.device)
    excluded = numbers < least.unsqueeze(-1)
    return torch.logsumexp(log_counts.masked_fill(excluded, -torch.inf), -1)


def posterior_counts(log_counts: Tensor, least: Tensor) -> Tensor:
    """Return the probability of every number of positives, given that there are at least ``least``.

    Args:
        log_counts: (..., T + 1) from `log_count_probabilities`.
        least: (...) int64 in [0, T].

    Returns:
        (..., T + 1), adding up to 1.
    """
    numbers = torch.arange(log_counts.shape[-1], device=log_counts.device)
    return log_counts.masked_fill(numbers < least.unsqueeze(-1), -torch.inf).softmax(-1)
