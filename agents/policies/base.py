"""What every policy offers: log-odds of removing labels, and what it takes to store, shift and pretrain it."""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.os_errors import one_line
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.networks.parts.multihead import numbers_of_heads

REMOVAL_PER_EVIDENCE = 0.5
"""How strongly, before any training, a parser's evidence for an event speaks against removing its label."""


class RemovalPolicy(nn.Module, ABC):
    """A network that maps states (Eq. 1 of RLLD, arXiv 2412.19563) to log-odds of removing labels.

    Attributes:
        kind: what its file calls its make.
        audio_size: Da, audio features of a segment, without labels.
        visual_size: Dv, visual features of a segment, without labels.
        num_classes: C.
        initialized_labels: whether states end in the labels.
        data: what identifies the data that it learned from, for its file; None where nobody has said it.
    """

    kind: ClassVar[str]
    audio_size: int
    visual_size: int
    num_classes: int
    initialized_labels: bool
    data: DataFingerprint | None = None

    @abstractmethod
    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Return the log-odds of removing each label.

        Args:
            audio: (B, T, Da + C) float32, features first, labels last; (B, T, Da) without initialized labels.
            visual: (B, T, Dv + C) float32; (B, T, Dv) without initialized labels.

        Returns:
            (B, 2, C) float32; [:, 0] audio, [:, 1] visual.
        """

    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments, JSON-able."""

    @abstractmethod
    def shift_logits(self, shift: Tensor) -> None:
        """Add (2, C) numbers, audio then visual, to the log-odds of every label, for good."""


class StartablePolicy(RemovalPolicy):
    """A policy of one encoder and heads, which can start from a parser and learn by imitation."""

    @abstractmethod
    def segments_and_pooled(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-odds of the event's absence in each segment, (B, T, 2, C), and those of `forward`, (B, 2, C).

        Args:
            audio: as `forward` takes it.
            visual: as `forward` takes it.
        """

    @abstractmethod
    def start_from(self, network: TaskNetwork) -> None:
        """Copy a trained parser's encoder; at first, remove what the parser does not find. Nothing is shared.

        Raises:
            ValueError: the network is of another make, or of other sizes.
        """

    @abstractmethod
    def encoder_parts(self) -> tuple[nn.Module, ...]:
        """Return the modules whose weights `start_from` copies, which learn with a rate of their own."""

    @abstractmethod
    def set_dropout(self, probability: float) -> None:
        """Set the dropout of training mode; 0, as it is made: an action stays as probable as it was sampled."""


class RemovalHead(nn.Module):
    """A logit per class: the mean over the segments, weighted by attention, of linear maps of the segments.

    Args:
        hidden_size: width of the sequence.
        num_classes: C.
        initial_removal: probability that belongs to the logits, before training.
    """

    def __init__(self, hidden_size: int, num_classes: int, initial_removal: float):
        super().__init__()
        self.logit = nn.Linear(hidden_size, num_classes)
        self.attention = nn.Linear(hidden_size, num_classes)
        with torch.no_grad():  # small weights: the bias alone decides the initial probability
            self.logit.weight.mul_(0.01)
            self.logit.bias.fill_(math.log(initial_removal / (1 - initial_removal)))

    def forward(self, sequence: Tensor) -> Tensor:
        """Pool a sequence (B, T, hidden_size) to logits (B, C)."""
        return self.pool(sequence, self.logit(sequence))

    def pool(self, sequence: Tensor, segment_logits: Tensor) -> Tensor:
        """Return the mean (B, C) of logits (B, T, C), weighted by attention to a sequence (B, T, hidden_size)."""
        weights = torch.softmax(self.attention(sequence), dim=1)
        return (weights * segment_logits).sum(dim=1)


@torch.no_grad()
def shift_heads(heads: tuple[RemovalHead, RemovalHead], shift: Tensor) -> None:
    """Add (2, C) numbers to the logits of two heads: attention weights sum to one, so the bias does it."""
    for head, added in zip(heads, shift, strict=True):
        head.logit.bias.add_(added.to(head.logit.bias))


def sizes_differ(error: RuntimeError) -> ValueError:
    """Return what to raise where a parser's weights do not fit into a policy."""
    detail = one_line(error)
    return ValueError(
        f"policy and parser have different sizes ({detail}); give both the same hidden_size and visual_3d_size"
    )


def take_weights(network: TaskNetwork, parser: TaskNetwork) -> None:
    """Copy a parser's weights into a policy's own network of the same make.

    Raises:
        ValueError: the parser is of another make, or of other sizes.
    """
    if type(parser) is not type(network):
        raise ValueError(
            f"a policy around a {type(network).__name__} cannot start from a {type(parser).__name__}; "
            "make the policy with the registered name of the parser's network"
        )
    if numbers_of_heads(parser) != numbers_of_heads(network):
        raise ValueError(
            f"the parser's attentions have {numbers_of_heads(parser)} heads, the policy's "
            f"{numbers_of_heads(network)}; give both the same options"
        )
    try:
        network.load_state_dict(parser.state_dict())
    except RuntimeError as error:
        raise sizes_differ(error) from error
