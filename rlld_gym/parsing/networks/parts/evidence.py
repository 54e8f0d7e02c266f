"""Presence and absence evidence of events, and the head that pools it (Gao et al., CMPAE, CVPR 2023)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.parts.dropout import dropout

EVIDENCE_TEMPERATURE = 0.8
"""Logits are divided by it before the exponential."""
LARGEST_LOGIT = 10.0
"""Logits are clipped to plus and minus this before that; no gradient flows outside."""
LEAK = 0.2
"""Slope of the leaky ReLUs below 0."""


def evidence(logits: Tensor) -> Tensor:
    """Turn logits of any shape into evidence, positive and finite: exp(clip(z, -10, 10) / 0.8)."""
    return (logits.clamp(-LARGEST_LOGIT, LARGEST_LOGIT) / EVIDENCE_TEMPERATURE).exp()


def opinion(presence: Tensor, absence: Tensor) -> tuple[Tensor, Tensor]:
    """Weigh presence against absence as a Dirichlet distribution with parameters 1 + evidence.

    Args:
        presence: logits of any shape.
        absence: logits of the same shape.

    Returns:
        The expected probability of presence and the uncertainty 2 / (sum of both parameters), in (0, 1).
    """
    present, absent = 1.0 + evidence(presence), 1.0 + evidence(absence)
    strength = present + absent
    return present / strength, 2.0 / strength


class EvidencePooling(nn.Module):
    """Presence and absence classifiers, whose logits are pooled over time before they become evidence.

    Absence is judged with the other modality in view: an event that neither modality supports is absent.

    Args:
        hidden_size: width of the sequences.
        num_classes: number of event classes C.
        context_dropout: probability in the part that reads both modalities.
    """

    def __init__(self, hidden_size: int, num_classes: int, context_dropout: float = 0.2) -> None:
        super().__init__()
        self.context_dropout = context_dropout
        self.presence = nn.Linear(hidden_size, num_classes)
        self.absence = nn.Linear(hidden_size, num_classes)
        self.audio_context = nn.Linear(hidden_size, hidden_size)
        self.visual_context = nn.Linear(hidden_size, hidden_size)
        # Rows are class-major: presence and absence of class 0, of class 1, ...
        self.time_attention = nn.Linear(hidden_size, 2 * num_classes)

    def forward(
        self, audio_sequence: Tensor, visual_sequence: Tensor
    ) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Classify two sequences, (B, T, hidden_size) each.

        Returns:
            Probability and uncertainty of every segment, (B, T, 2, C) each, and of both modalities pooled over
            time, (B, 2, C) each; modality 0 is audio, 1 is visual.
        """
        both = torch.stack((audio_sequence, visual_sequence), 2)
        shared = audio_sequence + visual_sequence
        context = torch.stack((self.audio_context(shared), self.visual_context(shared)), 2)
        context = functional.leaky_relu(dropout(context, self.context_dropout, self.training), LEAK)
        logits = torch.stack((self.presence(both), self.absence(both + context)), -1)
        weights = self.time_attention(both).view(logits.shape).softmax(1)
        pooled = (weights * logits).sum(1)
        return opinion(*logits.unbind(-1)), opinion(*pooled.unbind(-1))
