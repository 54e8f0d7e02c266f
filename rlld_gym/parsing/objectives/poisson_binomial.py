"""poiBin: boosting positive segments by the number of them, a latent variable (ICCV 2023).

Known of the publication: the number of positive segments has a Poisson-binomial law, learning is by expectation
maximisation of a lower bound, and a minimum number of positives is estimated again and again and raised, so that
more than the most telling segment is captured. Ours, as no more is public: counts of each modality by themselves,
the minimum estimated from the posterior of the same step, negatives by the probability of no positive segment, soft
targets that mix both, and the sum with cross-entropies of the pooled probabilities.
"""

from typing import ClassVar

import torch
from torch import Tensor

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import Targets
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives.base import Batch, Objective, StepContext, encoded
from rlld_gym.parsing.objectives.pooled import pooled_terms
from rlld_gym.parsing.objectives.segment_counts import (
    log_at_least,
    log_count_probabilities,
    posterior_counts,
)
from rlld_gym.parsing.recipes import Recipe


class PoissonBinomialObjective(Objective):
    """The pooled objective plus the negative log-likelihood of the labels under the law of the counts.

    Args:
        recipe: see the base class.
        count_weight: weight of the counts' term, a mean over both modalities; a video's log-likelihood is that of
            T segments, so the default is about 1 / T.
        boldness: share, in [0, 1], of the expected number of positives that the next minimum is; 0 keeps the
            minimum at one, which is the usual "at least one segment".
        rounds: estimates of the minimum in a step, each given the one before.

    Raises:
        InputError: an option out of its range.
    """

    stackable: ClassVar[bool] = True

    def __init__(
        self, recipe: Recipe, count_weight: float = 0.1, boldness: float = 0.5, rounds: int = 2
    ) -> None:
        super().__init__(recipe)
        if not 0 <= boldness <= 1:
            raise InputError(f"boldness is {boldness}: expected a number in [0, 1]")
        if rounds < 0:
            raise InputError(f"rounds is {rounds}: expected 0 or more")
        self.count_weight = count_weight
        self.boldness = boldness
        self.rounds = rounds

    def loss(self, network: TaskNetwork, batch: Batch, targets: Targets, context: StepContext) -> Tensor:
        """Return the loss of a batch; see the base class."""
        sequences = encoded(network, batch, self.recipe)
        output = network.head(*sequences)
        loss = pooled_terms(network, batch, output, sequences, targets=targets, recipe=self.recipe)
        labels = torch.stack((targets.audio, targets.visual), 1)
        counts = count_loss(output.segment.movedim(1, -1), labels, self.boldness, self.rounds)
        return loss + self.count_weight * counts


def count_loss(segment: Tensor, labels: Tensor, boldness: float, rounds: int) -> Tensor:
    """Return the mean negative log-likelihood of labels, given independent segments.

    A positive label says that at least m segments are positive, a negative one that none is. The gradient of
    log P(N >= m) is that of the lower bound of expectation maximisation with the exact posterior of N.

    Args:
        segment: (..., T) probabilities.
        labels: (...) float in [0, 1].
        boldness: see `minimum_counts`.
        rounds: likewise.

    Returns:
        Scalar.
    """
    log_counts = log_count_probabilities(segment)
    least = minimum_counts(log_counts.detach(), boldness, rounds)
    return -(labels * log_at_least(log_counts, least) + (1 - labels) * log_counts[..., 0]).mean()


def minimum_counts(log_counts: Tensor, boldness: float, rounds: int) -> Tensor:
    """Estimate the least number of positive segments of videos that have any; it never falls from round to round.

    Args:
        log_counts: (..., T + 1), log-probabilities of the counts.
        boldness: share of the expected number of positives, given the minimum so far, that becomes the next one,
            rounded down.
        rounds: how often.

    Returns:
        (...) int64 in [1, T].
    """
    numbers = torch.arange(log_counts.shape[-1], device=log_counts.device, dtype=log_counts.dtype)
    least = torch.ones(log_counts.shape[:-1], dtype=torch.int64, device=log_counts.device)
    for _ in range(rounds):
        expected = (posterior_counts(log_counts, least) * numbers).sum(-1)
        least = torch.maximum(least, (boldness * expected).long())
    return least
