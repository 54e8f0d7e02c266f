"""The three networks of VALOR: HAN with several heads, whose visual update reads the audio sequence as updated.

Lai et al., "Modality-Independent Teachers Meet Weakly-Supervised Audio-Visual Event Parser", NeurIPS 2023.
"""

import copy
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.options import require_count
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.han import AttentivePooling
from rlld_gym.parsing.networks.parts.clap import CLAP_FREQUENCIES, CLAP_TIMES, pool_clap_map
from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.multihead import MultiHeadAttention
from rlld_gym.parsing.networks.parts.stem import HANStem


class VALORLayer(nn.Module):
    """A HAN layer with several heads; audio is updated first, and visual then reads the updated audio.

    Args:
        hidden_size: width of the sequences.
        heads: of each attention.
        feedforward_size: inner width of the feed-forward part.
        dropout: probability for attention weights, attention outputs and the feed-forward part.
    """

    def __init__(self, hidden_size: int, heads: int, feedforward_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.self_attention = MultiHeadAttention(hidden_size, heads, dropout)
        self.cross_attention = MultiHeadAttention(hidden_size, heads, dropout)
        self.feedforward_in = nn.Linear(hidden_size, feedforward_size)
        self.feedforward_out = nn.Linear(feedforward_size, hidden_size)
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.feedforward_norm = nn.LayerNorm(hidden_size)

    def forward(self, audio: Tensor, visual: Tensor, cross_attention: bool = True) -> tuple[Tensor, Tensor]:
        """Update audio from both sequences, (B, T, hidden_size) each, then visual from itself and the new audio."""
        audio = self._updated(audio, visual if cross_attention else None)
        return audio, self._updated(visual, audio if cross_attention else None)

    def _updated(self, sequence: Tensor, other: Tensor | None) -> Tensor:
        attended = sequence + self._drop(self.self_attention(sequence, sequence))
        if other is not None:
            attended = attended + self._drop(self.cross_attention(sequence, other))
        attended = self.attention_norm(attended)
        inner = self._drop(functional.relu(self.feedforward_in(attended)))
        updated: Tensor = self.feedforward_norm(attended + self._drop(self.feedforward_out(inner)))
        return updated

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.dropout, self.training)


class VALOR(TaskNetwork):
    """VALOR's network. All layers start from the same weights and are stacked.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width D of the sequences, a multiple of ``heads``.
        heads: of each attention.
        feedforward_size: inner width of the feed-forward part; None: twice ``hidden_size``.
        num_layers: number of layers.
        dropout: probability inside the layers.

    Raises:
        InputError: ``hidden_size`` is no multiple of ``heads``, or ``num_layers`` is below 1.
    """

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 512,
        *,
        heads: int = 8,
        feedforward_size: int | None = None,
        num_layers: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        require_count("num_layers", num_layers)
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        layer = VALORLayer(hidden_size, heads, feedforward_size or 2 * hidden_size, dropout)
        self.layers = nn.ModuleList([layer, *(copy.deepcopy(layer) for _ in range(num_layers - 1))])
        self.pooling = AttentivePooling(hidden_size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into one sequence per modality; see the base class."""
        sequences: tuple[Tensor, Tensor] = self.stem(audio, visual_2d, visual_3d)
        for layer in self.layers:
            sequences = layer(*sequences, cross_attention)
        return sequences

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, D) each, into probabilities."""
        output: ParsingOutput = self.pooling(audio_sequence, visual_sequence)
        return output

    def segment_logits(self, audio_sequence: Tensor, visual_sequence: Tensor) -> Tensor:
        """Return the log-odds of every segment's probabilities, (B, T, 2, C)."""
        logits: Tensor = self.pooling.classifier(torch.stack((audio_sequence, visual_sequence), 2))
        return logits


class VALORPlus(VALOR):
    """VALOR+: four layers, published at half the width with the same feed-forward part; see `VALOR`."""

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 256,
        *,
        heads: int = 8,
        feedforward_size: int | None = None,
        num_layers: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            audio_size,
            visual_2d_size,
            visual_3d_size,
            num_classes,
            hidden_size,
            heads=heads,
            feedforward_size=feedforward_size or 4 * hidden_size,
            num_layers=num_layers,
            dropout=dropout,
        )


class VALORPlusPlus(VALORPlus):
    """VALOR++: VALOR+ on CLAP's and CLIP's features, published with widths 768, 768 and 512; see `VALOR`.

    Audio features are CLAP maps (B, 64, audio_size), or such maps brought to segments, (B, T, audio_size), as
    `rlld_gym.parsing.networks.parts.clap.pool_clap_map` does.
    """

    published_features: ClassVar[str] = (
        "CLAP maps (64 x 768, or pooled to segments), CLIP (768) and R(2+1)D-18 (512)"
    )

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into one sequence per modality; see the base class and above."""
        segments = visual_3d.shape[1]
        if audio.shape[1] == CLAP_FREQUENCIES * CLAP_TIMES != segments:
            audio = pool_clap_map(audio, segments)
        return super().encode(audio, visual_2d, visual_3d, cross_attention)
