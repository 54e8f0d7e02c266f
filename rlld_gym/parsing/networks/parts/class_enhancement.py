"""What classes learn from one another and from the whole video: MM-CSE's enhancement (Zhao et al., AAAI 2025)."""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.parts.classwise import ClassAttention
from rlld_gym.parsing.networks.parts.dropout import dropout

Pair = tuple[Tensor, Tensor]
"""Audio and visual class features, (B, T, C, size) each."""


class ClassMaps(NamedTuple):
    """Attention among classes, averaged over heads: (B, T, C, C) each, rows are queries.

    The first word is the modality of the queries, the second that of keys and values.
    """

    audio_audio: Tensor
    audio_visual: Tensor
    visual_visual: Tensor
    visual_audio: Tensor


def recalled(compared: Tensor, averaged: Tensor) -> Tensor:
    """Weigh a video's mean by how much a segment resembles it.

    Args:
        compared: (B, T, C, size), what is compared with the mean.
        averaged: (B, T, C, size), what the mean over time is of.

    Returns:
        sigma(cosine) * mean, (B, T, C, size).
    """
    mean = averaged.mean(1, keepdim=True)
    return functional.cosine_similarity(compared, mean, dim=-1).sigmoid().unsqueeze(-1) * mean


class ClassEnhancement(nn.Module):
    """Attention among the classes of a segment, own and of the other modality, then recall over time.

    One layer object serves both modalities. There is no residual connection around it.

    Args:
        size: width of a class's feature.
        feedforward_size: inner width of the feed-forward part.
        heads: of both attentions.
        dropout: probability for attention weights and in the feed-forward part.
    """

    def __init__(self, size: int, feedforward_size: int, heads: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.dropout = dropout
        self.self_attention = ClassAttention(size, heads, dropout)
        self.self_compared = nn.Linear(size, size)
        self.self_averaged = nn.Linear(size, size)
        self.self_out = nn.Linear(size, size)
        self.cross_attention = ClassAttention(size, heads, dropout)
        self.cross_recall = nn.Linear(size, size)
        self.cross_out = nn.Linear(size, size)
        self.norm = nn.LayerNorm(size)
        self.feedforward_in = nn.Linear(size, feedforward_size)
        self.feedforward_out = nn.Linear(feedforward_size, size)

    def forward(self, audio: Tensor, visual: Tensor, cross_attention: bool = True) -> tuple[Pair, ClassMaps]:
        """Update each modality, (B, T, C, size), from itself and from the other's un-updated features.

        Without ``cross_attention`` the branch that reads the other modality is left out (ours), and its maps are 0.
        """
        new_audio, own_audio, across_audio = self._update(audio, visual, cross_attention)
        new_visual, own_visual, across_visual = self._update(visual, audio, cross_attention)
        return (new_audio, new_visual), ClassMaps(own_audio, across_audio, own_visual, across_visual)

    def _update(self, query: Tensor, other: Tensor, cross_attention: bool) -> tuple[Tensor, Tensor, Tensor]:
        read, own_map = self.self_attention.read(query, query)
        attended = query + read
        recall = recalled(self.self_compared(attended).relu(), self.self_averaged(attended).relu())
        branches = self.self_out(query + recall)
        across_map = own_map.new_zeros(()).expand_as(own_map)
        if cross_attention:
            read, across_map = self.cross_attention.read(query, other)
            attended = query + read
            recall = recalled(self.cross_recall(attended).relu(), self.cross_recall(other).relu())
            branches = branches + self.cross_out(query + recall)
        inner = self.feedforward_in(self.norm(branches)).relu()
        return self.feedforward_out(dropout(inner, self.dropout, self.training)), own_map, across_map
