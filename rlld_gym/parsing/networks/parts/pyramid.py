"""Parts of MM-Pyramid: pre-norm attention layers limited to near segments, their mixing, dilated convolutions."""

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.multihead import attend_heads, require_heads


class PyramidFeedForward(nn.Module):
    """Two linear layers with a ReLU between, dropout after it."""

    def __init__(self, size: int, inner_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.inner = nn.Linear(size, inner_size)
        self.outer = nn.Linear(inner_size, size)

    def forward(self, values: Tensor) -> Tensor:
        """Map (..., size) to (..., size)."""
        inner = dropout(functional.relu(self.inner(values)), self.dropout, self.training)
        mapped: Tensor = self.outer(inner)
        return mapped


class PyramidLayer(nn.Module):
    """Attention and a feed-forward part, both pre-norm; of the attention only the query is normalised.

    All four projections of the attention start from the same weights.

    Args:
        size: width.
        heads: of the attention.
        feedforward: copied, so that layers given the same one start from the same weights.
        dropout: of both parts' outputs.
        attention_dropout: of the attention weights.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        feedforward: PyramidFeedForward,
        *,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        require_heads(size, heads)
        self.heads = heads
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.query = nn.Linear(size, size)
        self.key, self.value, self.out = (copy.deepcopy(self.query) for _ in range(3))
        self.query_norm = nn.LayerNorm(size)
        self.feedforward = copy.deepcopy(feedforward)
        self.feedforward_norm = nn.LayerNorm(size)

    def forward(self, sequence: Tensor, context: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Let (B, T, size) read from (B, S, size), where ``allowed`` (T, S) is True; return (B, T, size)."""
        attended = attend_heads(
            self.query(self.query_norm(sequence)),
            self.key(context),
            self.value(context),
            self.heads,
            allowed=allowed,
            dropped=self.attention_dropout if self.training else 0.0,
        )
        hidden = sequence + self._drop(self.out(attended))
        return hidden + self._drop(self.feedforward(self.feedforward_norm(hidden)))

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.dropout, self.training)


class SelectiveMixing(nn.Module):
    """Adds two sequences, each weighed by a gate that sees both."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.own_gate = nn.Linear(2 * size, size)
        self.other_gate = nn.Linear(2 * size, size)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        """Mix (B, T, size) with (B, T, size)."""
        both = torch.cat((own, other), -1)
        mixed: Tensor = self.own_gate(both).sigmoid() * own + self.other_gate(both).sigmoid() * other
        return mixed


class DilatedUnit(nn.Module):
    """A dilated convolution over time, one over single segments, and a residual connection."""

    def __init__(self, size: int, dilation: int) -> None:
        super().__init__()
        self.dilated = nn.Conv1d(size, size, 3, padding=dilation, dilation=dilation)
        self.pointwise = nn.Conv1d(size, size, 1)

    def forward(self, sequence: Tensor) -> Tensor:
        """Update (B, T, size)."""
        convolved = self.pointwise(functional.relu(self.dilated(sequence.mT))).mT
        return functional.relu(convolved + sequence)


class PyramidLevel(nn.Module):
    """One level: attention to segments at most ``radius`` away, mixing, and convolutions of that dilation.

    Args:
        size: width.
        heads: of the attentions.
        radius: see above.
        feedforward: copied into the three attention layers.
        dropout: see `PyramidLayer`.
        attention_dropout: see `PyramidLayer`.
    """

    def __init__(
        self,
        size: int,
        heads: int,
        radius: int,
        feedforward: PyramidFeedForward,
        *,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        self.radius = radius
        self.audio_self, self.visual_self, self.cross = (
            PyramidLayer(size, heads, feedforward, dropout=dropout, attention_dropout=attention_dropout)
            for _ in range(3)
        )
        self.audio_mixing, self.visual_mixing = SelectiveMixing(size), SelectiveMixing(size)
        self.audio_unit, self.visual_unit = DilatedUnit(size, radius), DilatedUnit(size, radius)

    def forward(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Update both sequences, (B, T, size) each, from both."""
        times = torch.arange(audio.shape[1], device=audio.device)
        near = (times.unsqueeze(0) - times.unsqueeze(1)).abs() <= self.radius
        mixed_audio = self.audio_mixing(self.audio_self(audio, audio, near), self.cross(audio, visual, near))
        mixed_visual = self.visual_mixing(
            self.visual_self(visual, visual, near), self.cross(visual, audio, near)
        )
        return self.audio_unit(mixed_audio), self.visual_unit(mixed_visual)


class LevelFusion(nn.Module):
    """Lets the levels' outputs of each segment read from one another, then adds them with a weight each.

    Args:
        layer: copied.
        size: width.
    """

    def __init__(self, layer: PyramidLayer, size: int) -> None:
        super().__init__()
        self.layer = copy.deepcopy(layer)
        self.weight = nn.Linear(size, 1)

    def forward(self, levels: Tensor) -> Tensor:
        """Fuse (B, T, levels, size) to (B, T, size)."""
        flat = levels.flatten(0, 1)
        updated = self.layer(flat, flat).view_as(levels)
        fused: Tensor = (self.weight(updated).sigmoid() * updated).sum(2)
        return fused
