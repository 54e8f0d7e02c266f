"""A policy that reads a parser's evidence; it learns how much of it a label of each class needs to stay."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rlld_agents.policies.base import RemovalHead, RemovalPolicy, take_weights
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.denoising.evidence import evidence, known_evidence, modality_evidence
from rlld_gym.parsing.networks import TaskNetwork, make_network

SMALLEST_SPREAD = 0.1
"""Classes whose evidence hardly differs between videos are not blown up: log-odds are divided by no less."""


class EvidencePolicy(RemovalPolicy):
    """Removes labels that a parser finds too little evidence for, class by class and modality by modality.

    The log-odds of removing a label are

        shift[m, c] - gain[m] * (evidence - centre[m, c]) / spread[m, c] (+ heads)

    where the evidence is what a frozen parser says of class c from modality m alone
    (`rlld_gym.denoising.evidence`), and centre and spread are its mean and deviation over the videos that carry the
    label: all classes are explored in the same unit. With ``heads``, the hybrid-attention network of RLLD
    (arXiv 2412.19563, Eq. 2-4), whose encoder is that of the parser, adds logits of its own, zero at first.

    Args:
        network: registered name of the parser's network.
        audio_size: Da, audio features of a segment, without labels.
        visual_size: Dv, visual features of a segment (2D, then 3D), without labels.
        num_classes: C.
        hidden_size: width of the network.
        visual_3d_size: how many of the ``visual_size`` features, the last ones, are 3D features.
        heads: add the network's own heads.
        options: further arguments of the network's constructor, JSON-able.

    Attributes:
        uses_evidence: `forward` takes evidence where somebody has it already.
    """

    kind = "evidence"
    uses_evidence = True
    initialized_labels = True

    def __init__(
        self,
        network: str,
        *,
        audio_size: int,
        visual_size: int,
        num_classes: int,
        hidden_size: int = 64,
        visual_3d_size: int = 0,
        heads: bool = False,
        options: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.audio_size = audio_size
        self.visual_size = visual_size
        self.num_classes = num_classes
        self._visual_2d_size = visual_size - visual_3d_size
        self._sizes = {
            "network": network,
            "audio_size": audio_size,
            "visual_size": visual_size,
            "num_classes": num_classes,
            "hidden_size": hidden_size,
            "visual_3d_size": visual_3d_size,
            "heads": heads,
            "options": dict(options or {}),
        }
        self.network: TaskNetwork = make_network(
            network,
            audio_size=audio_size,
            visual_2d_size=self._visual_2d_size,
            visual_3d_size=visual_3d_size,
            num_classes=num_classes,
            hidden_size=hidden_size,
            **dict(options or {}),
        )
        self.network.requires_grad_(False).eval()
        self.shift = nn.Parameter(torch.zeros(2, num_classes))
        self.gain = nn.Parameter(torch.ones(2, 1))
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(2, num_classes))
        self.register_buffer("spread", torch.ones(2, num_classes))
        self.heads = nn.ModuleList(RemovalHead(hidden_size, num_classes, 0.5) for _ in range(2 * heads))
        for head in self._heads:
            nn.init.zeros_(head.logit.weight)

    @classmethod
    def from_parser(
        cls,
        parser: TaskNetwork,
        split: SplitTensors,
        *,
        network: str,
        hidden_size: int,
        initial_removal: tuple[float, float] = (0.05, 0.2),
        heads: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> "EvidencePolicy":
        """Return a policy that reads a parser's evidence and at first removes the same share of every class.

        Args:
            parser: trained on the weak labels; copied.
            split: the training videos, on the parser's device.
            network: registered name of the parser's network.
            hidden_size: its width.
            initial_removal: share of each class's labels that is removed before any training, audio and visual. To
                keep everything is a local optimum of the reward: begin where something is removed.
            heads: see the class.
            options: further arguments of the network's constructor.

        Raises:
            ValueError: the parser is another network, or of other sizes or options.
        """
        policy = cls(
            network,
            audio_size=split.audio.shape[-1],
            visual_size=split.visual.shape[-1],
            num_classes=split.labels.shape[-1],
            hidden_size=hidden_size,
            visual_3d_size=split.visual.shape[-1] - split.visual_2d_size,
            heads=heads,
            options=options,
        ).to(split.labels.device)
        take_weights(policy.network, parser)
        found = known_evidence(parser, split)
        policy.fit_units(split, found)
        policy.remove_shares(
            split, found, torch.tensor(initial_removal)[:, None].expand(2, policy.num_classes)
        )
        return policy

    @torch.no_grad()
    def fit_units(self, split: SplitTensors, found: Tensor) -> None:
        """Set centre and spread of each class's evidence from the videos that carry its label.

        Args:
            split: N videos.
            found: (N, 2, C) float32, their evidence.
        """
        present = (split.labels > 0).unsqueeze(1)
        number = present.sum(0).clamp(min=1)
        mean = (found * present).sum(0) / number
        variance = ((found - mean).square() * present).sum(0) / number
        self.centre.copy_(mean)
        self.spread.copy_(variance.sqrt().clamp(min=SMALLEST_SPREAD))

    @torch.no_grad()
    def remove_shares(self, split: SplitTensors, found: Tensor, shares: Tensor) -> None:
        """Set the shifts so that a share of each class's labels in a split is removed.

        Args:
            split: N videos.
            found: (N, 2, C) float32, their evidence.
            shares: (2, C) in [0, 1].
        """
        needed = self.gain * (found - self.centre) / self.spread
        for modality, label in ((m, c) for m in range(2) for c in range(self.num_classes)):
            known = needed[split.labels[:, label] > 0, modality, label]
            if len(known):
                self.shift[modality, label] = torch.quantile(known, float(shares[modality, label]))

    def evidence_of(self, split: SplitTensors, indices: Tensor | None = None) -> Tensor:
        """Return the parser's evidence for videos of a split, (N, 2, C) float32."""
        return evidence(self.network, split, indices)

    def forward(self, audio: Tensor, visual: Tensor, found: Tensor | None = None) -> Tensor:
        """Return the log-odds of removing each label; see the base class.

        Args:
            audio: (B, T, Da + C) float32.
            visual: (B, T, Dv + C) float32.
            found: (B, 2, C) float32, the evidence, where it is known; None: the parser is asked. A network that
                cannot tell modalities apart then looks at the batch's other videos.
        """
        features = (
            audio[..., : self.audio_size],
            visual[..., : self._visual_2d_size],
            visual[..., self._visual_2d_size : self.visual_size],
        )
        if found is None:
            found = modality_evidence(self.network, features)
        logits = self.shift - self.gain * (found - self.centre) / self.spread
        if len(self._heads):
            sequences = self.network.encode(*features)
            pooled = [head(sequence) for head, sequence in zip(self._heads, sequences, strict=True)]
            logits = logits + torch.stack(pooled, dim=1)
        return logits

    def explored_parameters(self) -> dict[str, nn.Parameter]:
        """Return what REINFORCE over parameters explores, by name: how much evidence a label needs."""
        return {"shift": self.shift}

    def shift_logits(self, shift: Tensor) -> None:
        """Add (2, C) numbers to the log-odds."""
        with torch.no_grad():
            self.shift.add_(shift.to(self.shift))

    def with_parser(self, parser: TaskNetwork) -> "EvidencePolicy":
        """Return a copy that reads the evidence of another parser of the same sizes; units and shifts stay."""
        policy = copy.deepcopy(self)
        take_weights(policy.network, parser)
        return policy

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments, JSON-able."""
        return dict(self._sizes)

    def train(self, mode: bool = True) -> "EvidencePolicy":
        """Set the mode of all but the parser, which stays in evaluation mode."""
        super().train(mode)
        self.network.eval()
        return self

    @property
    def _heads(self) -> list[RemovalHead]:
        return [head for head in self.heads if isinstance(head, RemovalHead)]
