"""A policy around a copy of any registered task network, whose encoder it borrows."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rlld_agents.labels.log_odds import log_odds
from rlld_agents.policies.base import (
    REMOVAL_PER_EVIDENCE,
    RemovalHead,
    StartablePolicy,
    shift_heads,
    take_weights,
)
from rlld_gym.data.classes import NUM_SEGMENTS
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import TaskNetwork, make_network
from rlld_gym.parsing.networks.parts.dropout import dropout


class NetworkPolicy(StartablePolicy):
    """Label-conditioned heads on the sequences of a task network, which stays a whole network of its own.

    The network needs the interface of `TaskNetwork` only. For each modality a layer sees a segment's sequence and
    the labels; a head on it adds to what the network's own head says about the segment, with its sign turned:
    evidence for an event speaks against removing its label. The attention-weighted mean over the segments is the
    log-odds of removal. Size: the network and two small heads ("2 x MMIL" for policy and parser, as in the paper).

    The network always runs in evaluation mode, also while it learns: dropout of its own, or statistics of a batch,
    would make a policy's actions less probable when reinforced than when sampled.

    Args:
        network: registered name of the task network.
        audio_size: Da, audio features of a segment, without labels.
        visual_size: Dv, visual features of a segment (2D, then 3D), without labels.
        num_classes: C.
        hidden_size: width of the network.
        visual_3d_size: how many of the ``visual_size`` features, the last ones, are 3D features.
        initial_removal: probability, before training, that a label is removed that the network is unsure about.
        initialized_labels: whether states end in the labels.
        options: further arguments of the network's constructor, JSON-able.

    Raises:
        InputError: no network has that name, or its encoder does not return sequences of one width.
    """

    kind = "network"

    def __init__(
        self,
        network: str,
        *,
        audio_size: int,
        visual_size: int,
        num_classes: int,
        hidden_size: int = 64,
        visual_3d_size: int = 0,
        initial_removal: float = 0.2,
        initialized_labels: bool = True,
        options: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.audio_size = audio_size
        self.visual_size = visual_size
        self.num_classes = num_classes
        self.initialized_labels = initialized_labels
        self._sizes = {
            "network": network,
            "audio_size": audio_size,
            "visual_size": visual_size,
            "num_classes": num_classes,
            "hidden_size": hidden_size,
            "visual_3d_size": visual_3d_size,
            "initial_removal": initial_removal,
            "initialized_labels": initialized_labels,
            "options": dict(options or {}),
        }
        self._visual_2d_size = visual_size - visual_3d_size
        self.network: TaskNetwork = make_network(
            network,
            audio_size=audio_size,
            visual_2d_size=self._visual_2d_size,
            visual_3d_size=visual_3d_size,
            num_classes=num_classes,
            hidden_size=hidden_size,
            **dict(options or {}),
        ).eval()
        width = self._sequence_width(network)
        self.features = nn.ModuleList(nn.Linear(width, hidden_size) for _ in range(2))
        if initialized_labels:
            self.labels = nn.ModuleList(nn.Linear(num_classes, hidden_size, bias=False) for _ in range(2))
        self.audio_head = RemovalHead(hidden_size, num_classes, initial_removal)
        self.visual_head = RemovalHead(hidden_size, num_classes, initial_removal)
        self.evidence = nn.Parameter(torch.full((2, 1), REMOVAL_PER_EVIDENCE))
        self.dropout = 0.0

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Return the log-odds of removing each label; see the base class."""
        return self.segments_and_pooled(audio, visual)[1]

    def segments_and_pooled(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-odds of each segment and of the video; see the base class."""
        sequences = self.network.encode(
            audio[..., : self.audio_size],
            visual[..., : self._visual_2d_size],
            visual[..., self._visual_2d_size : self.visual_size],
        )
        found = log_odds(self.network.head(*sequences).segment)
        labels = (audio[..., self.audio_size :], visual[..., self.visual_size :])
        segments, pooled = [], []
        for modality, head in enumerate((self.audio_head, self.visual_head)):
            hidden = self.features[modality](dropout(sequences[modality], self.dropout, self.training))
            if self.initialized_labels:
                hidden = hidden + self.labels[modality](labels[modality])
            hidden = torch.relu(hidden)
            logits = head.logit(hidden) - self.evidence[modality] * found[:, :, modality]
            segments.append(logits)
            pooled.append(head.pool(hidden, logits))
        return torch.stack(segments, dim=2), torch.stack(pooled, dim=1)

    @torch.no_grad()
    def start_from(self, network: TaskNetwork) -> None:
        """Copy a network of the same make; at first its evidence alone decides.

        Raises:
            ValueError: the network is of another make, or of other sizes.
        """
        take_weights(self.network, network)
        for head in (self.audio_head, self.visual_head):
            head.logit.weight.zero_()
            head.logit.bias.zero_()

    def encoder_parts(self) -> tuple[nn.Module, ...]:
        """Return the network."""
        return (self.network,)

    def set_dropout(self, probability: float) -> None:
        """Set the dropout of the sequences, in training mode."""
        self.dropout = probability

    def shift_logits(self, shift: Tensor) -> None:
        """Add (2, C) numbers to the log-odds, by way of the heads' biases."""
        shift_heads((self.audio_head, self.visual_head), shift)

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments, JSON-able."""
        return dict(self._sizes)

    def train(self, mode: bool = True) -> "NetworkPolicy":
        """Set the mode of all but the network, which stays in evaluation mode."""
        super().train(mode)
        self.network.eval()
        return self

    @torch.no_grad()
    def _sequence_width(self, name: str) -> int:
        """Return the width of the network's sequences, found by running it once on zeros."""
        sizes = (self.audio_size, self._visual_2d_size, self.visual_size - self._visual_2d_size)
        # Most networks take any number of segments; one that is built for a number says so.
        segments = getattr(self.network, "num_segments", NUM_SEGMENTS)
        audio, visual_2d, visual_3d = (torch.zeros(1, segments, size) for size in sizes)
        sequences = self.network.encode(audio, visual_2d, visual_3d)
        widths = {sequence.shape[-1] for sequence in sequences}
        if len(widths) != 1:
            raise InputError(
                f"task network {name!r}: sequences of widths {widths}, expected one width for both"
            )
        return int(widths.pop())
