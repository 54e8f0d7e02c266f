"""DHHN's guides: networks that see one modality alone, and show the main network what it gives away."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.multihead import MultiHeadAttention
from rlld_gym.parsing.networks.parts.stem import pooled_frames


class GuideOutput(NamedTuple):
    """Probabilities of one modality: pooled (B, C) and of every segment (B, T, C), in (0, 1)."""

    pooled: Tensor
    segment: Tensor


class EncoderLayer(nn.Module):
    """A post-norm transformer encoder layer, with the parameters of torch's own.

    Args:
        size: width.
        heads: of the attention.
        inner_size: of the feed-forward part.
        dropout: of attention weights and both parts' outputs.
    """

    def __init__(self, size: int, heads: int, inner_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.self_attention = MultiHeadAttention(size, heads, dropout)
        self.feedforward_in = nn.Linear(size, inner_size)
        self.feedforward_out = nn.Linear(inner_size, size)
        self.attention_norm = nn.LayerNorm(size)
        self.feedforward_norm = nn.LayerNorm(size)

    def forward(self, sequence: Tensor) -> Tensor:
        """Update (B, T, size)."""
        attended = self.attention_norm(sequence + self._drop(self.self_attention(sequence, sequence)))
        inner = self._drop(functional.relu(self.feedforward_in(attended)))
        updated: Tensor = self.feedforward_norm(attended + self._drop(self.feedforward_out(inner)))
        return updated

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.dropout, self.training)


class Guide(nn.Module):
    """One modality's encoder, applied again and again with a residual connection, and attentive pooling over time.

    Args:
        num_classes: C.
        hidden_size: width, a multiple of ``heads``.
        depth: layers of the encoder, which start from the same weights.
        repetitions: how often the encoder is applied.
        heads: of its attentions.
        dropout: of its layers.
    """

    def __init__(
        self,
        num_classes: int,
        hidden_size: int,
        *,
        depth: int,
        repetitions: int,
        heads: int,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.repetitions = repetitions
        first = EncoderLayer(hidden_size, heads, hidden_size, dropout)
        self.layers = nn.ModuleList([first])
        for _ in range(depth - 1):
            copied = EncoderLayer(hidden_size, heads, hidden_size, dropout)
            copied.load_state_dict(first.state_dict())
            self.layers.append(copied)
        self.classifier = nn.Linear(hidden_size, num_classes)
        self.time_attention = nn.Linear(hidden_size, num_classes)

    def parse(self, sequence: Tensor) -> GuideOutput:
        """Encode a projected sequence (B, T, hidden_size) and pool it."""
        for _ in range(self.repetitions):
            encoded = sequence
            for layer in self.layers:
                encoded = layer(encoded)
            sequence = sequence + encoded
        segment = self.classifier(sequence).sigmoid()
        weights = self.time_attention(sequence).softmax(1)
        return GuideOutput((weights * segment).sum(1), segment)


class AudioGuide(Guide):
    """DHHN's AudioNet: one layer, applied four times; further arguments as `Guide`'s."""

    def __init__(self, audio_size: int, num_classes: int, hidden_size: int, heads: int) -> None:
        super().__init__(num_classes, hidden_size, depth=1, repetitions=4, heads=heads)
        self.audio = nn.Linear(audio_size, hidden_size)

    def forward(self, audio: Tensor) -> GuideOutput:
        """Parse (B, T, audio_size)."""
        return self.parse(self.audio(audio))


class VisualGuide(Guide):
    """DHHN's VideoNet: HAN's visual projections and two layers, applied three times; see `Guide`."""

    def __init__(
        self, visual_2d_size: int, visual_3d_size: int, num_classes: int, hidden_size: int, heads: int
    ) -> None:
        super().__init__(num_classes, hidden_size, depth=2, repetitions=3, heads=heads)
        self.visual_2d = nn.Linear(visual_2d_size, hidden_size)
        self.visual_3d = nn.Linear(visual_3d_size, hidden_size) if visual_3d_size > 0 else None
        self.fusion = nn.Linear(2 * hidden_size, hidden_size) if visual_3d_size > 0 else None

    def forward(self, visual_2d: Tensor, visual_3d: Tensor) -> GuideOutput:
        """Parse (B, T, visual_2d_size) or frames (B, 8 T, visual_2d_size), and (B, T, visual_3d_size)."""
        projected = self.visual_2d(pooled_frames(visual_2d, visual_3d.shape[1]))
        if self.visual_3d is not None and self.fusion is not None:
            projected = self.fusion(torch.cat((projected, self.visual_3d(visual_3d)), -1))
        return self.parse(projected)
