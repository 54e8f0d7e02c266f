"""A policy that stays in the loop while a parser is being trained, and decides anew from the parser as it is.

RLLD (arXiv 2412.19563) trains policy and parser together. What a policy knows of a class is how many of its labels
are wrong; which ones, a parser says the better the more of the wrong ones it has been spared. So the number of
labels that go stays what the policy decided, class by class and modality by modality, and before every epoch those
go that the parser as it is finds least evidence for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlld_agents.labels.log_odds import log_odds
from rlld_agents.labels.revised import LabelSet, RevisedLabels
from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.denoising.evidence import evidence
from rlld_gym.denoising.labels import EmptyRule, revise_labels
from rlld_gym.errors import InputError
from rlld_gym.parsing.epochs import TrainedParser
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import train_parser

WARM_UP: float = 0.25
"""Share of a training's epochs in which the first decision holds: a new parser knows nothing yet."""


@dataclass(frozen=True, eq=False)
class OnlinePlan:
    """What a policy decided, and how it goes on deciding; pickles.

    Attributes:
        first: the labels as the policy leaves them before the training; their numbers stay.
        evidence_weight: how much the parser's evidence, in units of its deviation over a class's labels, counts
            beside the policy's own log-odds of removal. None: evidence alone decides.
        empty_rule: what to do where a video would lose its last label.
    """

    first: RevisedLabels
    evidence_weight: float | None = None
    empty_rule: EmptyRule = "video"

    def __post_init__(self) -> None:
        """Refuse a weight that makes no sense (InputError)."""
        if self.evidence_weight is not None and self.evidence_weight < 0:
            raise InputError(f"evidence_weight is {self.evidence_weight}, expected at least 0 or None")

    def start(self, split: SplitTensors, epochs: int) -> "OnlineRevision":
        """Return the revision of one training on the videos that the plan is for."""
        return OnlineRevision(self, split, max(1, round(WARM_UP * epochs)))


@dataclass(eq=False)
class OnlineRevision:
    """The labels of one training, decided anew before its epochs; a ``relabel`` of `train_parser`.

    Attributes:
        plan: what the policy decided.
        split: the training videos.
        warm_up: epochs in which the first decision holds.
        labels: as they were decided last.
    """

    plan: OnlinePlan
    split: SplitTensors
    warm_up: int
    labels: LabelSet = field(init=False)
    scores: NDArray[np.float32] = field(init=False)
    """(N, 2, C), the removal score that the last decision went by; 0 where there is no label."""

    def __post_init__(self) -> None:
        """Begin with the policy's labels."""
        first = self.plan.first
        self.labels, self.scores = LabelSet(first.audio, first.visual), first.removal_probability

    def __call__(self, network: TaskNetwork, epoch: int) -> LabelSet | None:
        """Return the labels of an epoch, None in the first ones."""
        if epoch <= self.warm_up:
            return None
        score = self._score(evidence(network, self.split))
        removed = self._as_many(score)
        weak = self.split.labels
        revision = revise_labels(weak, weak, removed, self.plan.empty_rule)
        self.labels = LabelSet(revision.audio.bool().cpu().numpy(), revision.visual.bool().cpu().numpy())
        present = (weak > 0).unsqueeze(1)
        self.scores = torch.sigmoid(score).mul(present).cpu().numpy()
        return self.labels

    def _score(self, found: Tensor) -> Tensor:
        """Return for each label (N, 2, C) how much speaks for removing it."""
        present = (self.split.labels > 0).unsqueeze(1)
        number = present.sum(0).clamp(min=1)
        mean = (found * present).sum(0) / number
        deviation = (((found - mean).square() * present).sum(0) / number).sqrt().clamp(min=1e-3)
        needed = (mean - found) / deviation
        if self.plan.evidence_weight is None:
            return needed
        probability = torch.from_numpy(self.plan.first.removal_probability).to(found)
        return log_odds(probability) + self.plan.evidence_weight * needed

    def _as_many(self, score: Tensor) -> Tensor:
        """Return (N, 2, C) bool, of each class and modality as many labels as the policy removed, highest first."""
        weak = self.split.labels > 0
        left = torch.from_numpy(np.stack((self.plan.first.audio, self.plan.first.visual), axis=1)).to(
            weak.device
        )
        numbers = (weak.unsqueeze(1) & ~left).sum(0)
        order = score.masked_fill(~weak.unsqueeze(1), -torch.inf).argsort(dim=0, descending=True, stable=True)
        ranks = torch.empty_like(order)
        ranks.scatter_(
            0, order, torch.arange(len(order), device=order.device)[:, None, None].expand_as(order)
        )
        return ranks < numbers


def train_online(
    data: StoreTensors,
    plan: OnlinePlan,
    recipe: Recipe,
    *,
    hidden_size: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[TrainedParser, RevisedLabels]:
    """Train a parser with the policy in the loop.

    Args:
        data: as `train_parser` takes it.
        plan: what the policy decided on the training videos.
        recipe: how to train.
        hidden_size: width of the parser.
        seed: of the training.
        progress: called with (epochs done, epochs in all) after every epoch.

    Returns:
        The parser of the best epoch, and the labels of the last decision, with its removal scores.
    """
    revision = plan.start(data["train"], recipe.epochs)
    first = plan.first
    trained = train_parser(
        data,
        first.audio,
        first.visual,
        recipe,
        hidden_size=hidden_size,
        seed=seed,
        relabel=revision,
        progress=progress,
    )
    return trained, RevisedLabels(*revision.labels, revision.scores)
