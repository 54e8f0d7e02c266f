"""The hybrid attention network (Tian et al., ECCV 2020), also as JoMoLD has it (Cheng et al., ECCV 2022)."""

import copy
import os
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.errors import InputError
from rlld_gym.options import require_count
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.checkpoints import load_public_checkpoint
from rlld_gym.parsing.networks.parts.attention import Attention, attend
from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.multihead import attention_layer
from rlld_gym.parsing.networks.parts.stem import HANStem

Flavour = Literal["han", "jomold"]


class HANLayer(nn.Module):
    """Self-attention, cross-attention to the other modality and a feed-forward part, post-norm (Tian et al.).

    One layer object serves both modalities.

    Args:
        hidden_size: width of the sequences.
        feedforward_size: inner width of the feed-forward part.
        dropout: probability for attention weights, attention outputs and the feed-forward part.
        heads: of each attention; published is 1, for which there is a cheaper form of the same sums.

    Raises:
        InputError: ``hidden_size`` is no multiple of ``heads``.
    """

    def __init__(
        self, hidden_size: int, feedforward_size: int, dropout: float = 0.1, *, heads: int = 1
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.self_attention = attention_layer(hidden_size, heads, dropout)
        self.cross_attention = attention_layer(hidden_size, heads, dropout)
        self.feedforward_in = nn.Linear(hidden_size, feedforward_size)
        self.feedforward_out = nn.Linear(feedforward_size, hidden_size)
        self.attention_norm = nn.LayerNorm(hidden_size)
        self.feedforward_norm = nn.LayerNorm(hidden_size)

    def forward(self, audio: Tensor, visual: Tensor, cross_attention: bool = True) -> tuple[Tensor, Tensor]:
        """Update each modality from itself and from the other's un-updated sequence.

        Args:
            audio: (B, T, hidden_size) float.
            visual: (B, T, hidden_size) float.
            cross_attention: False drops the term that reads the other modality, nothing else.

        Returns:
            The updated audio and visual sequence, (B, T, hidden_size) each.
        """
        both = torch.stack((audio, visual))
        context = both.flatten(0, 1)
        # A modality's sequence is read by its own queries and by those of the other modality.
        if cross_attention:
            queries = torch.stack((both, both.flip(0))).flatten(1, 2)
            own, across = self._drop(self._attend(queries, context)).view(2, *both.shape)
            attended = both + own + across.flip(0)
        else:
            attended = both + self._drop(self.self_attention(context, context)).view_as(both)
        attended = self.attention_norm(attended)
        inner = self._drop(functional.relu(self.feedforward_in(attended)))
        updated = self.feedforward_norm(attended + self._drop(self.feedforward_out(inner)))
        updated_audio, updated_visual = updated.unbind()
        return updated_audio, updated_visual

    def _attend(self, queries: Tensor, context: Tensor) -> Tensor:
        """Let self- and cross-attention, (2, B, T, hidden_size) of queries, read the same context."""
        own, across = self.self_attention, self.cross_attention
        if isinstance(own, Attention) and isinstance(across, Attention):
            return attend((own, across), queries, context)
        return torch.stack((own(queries[0], context), across(queries[1], context)))

    def _drop(self, values: Tensor) -> Tensor:
        return dropout(values, self.dropout, self.training)


class HANLayers(nn.ModuleList):
    """HAN layers that update two sequences one after the other."""

    def forward(self, audio: Tensor, visual: Tensor, cross_attention: bool = True) -> tuple[Tensor, Tensor]:
        """Update two sequences, (B, T, hidden_size) each, by every layer; see `HANLayer`."""
        for layer in self:
            audio, visual = layer(audio, visual, cross_attention)
        return audio, visual


def attentive_pooling(class_logits: Tensor, time_logits: Tensor, modality_logits: Tensor) -> ParsingOutput:
    """Pool segment probabilities by attention over time and over modalities.

    Args:
        class_logits: (B, T, 2, C) float; modality 0 is audio, 1 is visual.
        time_logits: (B, T, 2, C), of the softmax over time.
        modality_logits: (B, T, 2, C), of the softmax over modalities.
    """
    segment = class_logits.sigmoid()
    audio, visual = (segment * time_logits.softmax(1)).unbind(2)
    # A softmax over two modalities is the logistic function of the difference.
    audio_logits, visual_logits = modality_logits.unbind(2)
    video = torch.lerp(visual, audio, (audio_logits - visual_logits).sigmoid())
    return ParsingOutput(video.sum(1), audio.sum(1), visual.sum(1), segment)


class AttentivePooling(nn.Module):
    """Attentive multimodal multiple-instance pooling, the head "MMIL" (Tian et al., ECCV 2020, section 4.3).

    Args:
        hidden_size: width of the sequences.
        num_classes: number of event classes.
    """

    def __init__(self, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(hidden_size, num_classes)
        self.time_attention = nn.Linear(hidden_size, num_classes)
        self.modality_attention = nn.Linear(hidden_size, num_classes)

    def forward(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Classify every segment and pool, (B, T, hidden_size) each, to a ``ParsingOutput``."""
        parts = (self.classifier, self.time_attention, self.modality_attention)
        # One product for the three layers: they are small and read the same input.
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts])
        logits = functional.linear(torch.stack((audio_sequence, visual_sequence), 2), weight, bias)
        # One copy into three tensors: what follows is slow on slices.
        logits = logits.view(*logits.shape[:-1], 3, -1).movedim(-2, 0).contiguous()
        return attentive_pooling(*logits.unbind())


class HAN(TaskNetwork):
    """Hybrid attention network in its two published flavours.

    "han" (Tian et al., ECCV 2020): every layer reads the stem's output, so only the last one acts, and all
    layers start from the same weights. "jomold" (Cheng et al., ECCV 2022), RLLD's task network: layers are
    stacked, start from different weights, and dropout on the visual sequence precedes the head. With one
    layer, the published depth of both, they differ only in that dropout.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width D of the sequences.
        feedforward_size: inner width of the feed-forward part; None: ``hidden_size``.
        num_layers: number of HAN layers.
        heads: of each attention; the publications have 1.
        dropout: probability inside the layers.
        flavour: "han" or "jomold".
        visual_dropout: probability before the head, visual sequence only; None: 0.5 in "jomold", 0 in "han".

    Raises:
        InputError: for an unknown flavour, ``num_layers`` below 1, or a width that is no multiple of ``heads``.
    """

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 512,
        *,
        feedforward_size: int | None = None,
        num_layers: int = 1,
        heads: int = 1,
        dropout: float = 0.1,
        flavour: Flavour = "han",
        visual_dropout: float | None = None,
    ) -> None:
        super().__init__()
        if flavour not in ("han", "jomold"):
            raise InputError(f"flavour is {flavour!r}: expected 'han' or 'jomold'")
        require_count("num_layers", num_layers)
        self.flavour = flavour
        self.visual_dropout = visual_dropout if visual_dropout is not None else 0.5 * (flavour == "jomold")
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        inner = feedforward_size or hidden_size
        self.layers = HANLayers([HANLayer(hidden_size, inner, dropout, heads=heads)])
        for _ in range(num_layers - 1):
            if flavour == "han":
                self.layers.append(copy.deepcopy(self.layers[0]))
            else:
                self.layers.append(HANLayer(hidden_size, inner, dropout, heads=heads))
        self.pooling = AttentivePooling(hidden_size, num_classes)

    @property
    def is_one_layer(self) -> bool:
        """Whether the sequences of `encode` are made by one layer: the last one in "han", else the only one."""
        return self.flavour == "han" or len(self.layers) == 1

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into the two sequences that the contrastive loss compares; see the base class."""
        # "han" feeds every layer the stem's output and keeps the last result: the others need no pass.
        layers = self.layers[-1:] if self.flavour == "han" else self.layers
        sequences: tuple[Tensor, Tensor] = layers(*self.stem(audio, visual_2d, visual_3d), cross_attention)
        return sequences

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, D) each, into probabilities, after the visual dropout."""
        visual_sequence = dropout(visual_sequence, self.visual_dropout, self.training)
        output: ParsingOutput = self.pooling(audio_sequence, visual_sequence)
        return output

    @classmethod
    def from_public_checkpoint(
        cls,
        path_or_state_dict: str | os.PathLike[str] | Mapping[str, object],
        flavour: Flavour = "han",
        heads: int = 1,
    ) -> "HAN":
        """Load weights in the layout of the public HAN and JoMoLD code; see ``load_public_checkpoint``.

        Args:
            path_or_state_dict: a file written by ``torch.save``, or its content: a state dictionary, or a
                dictionary that holds one under "model".
            flavour: "han" or "jomold"; the file does not say.
            heads: of each attention; nor does it say this.

        Returns:
            The network on the CPU, in evaluation mode, with sizes read from the tensors.

        Raises:
            InputError: for an unreadable file, unknown or missing entries, and wrong shapes, by name.
            ValueError: for an unknown flavour.
        """
        network = load_public_checkpoint("han", path_or_state_dict, flavour=flavour, heads=heads)
        assert isinstance(network, cls)
        return network
