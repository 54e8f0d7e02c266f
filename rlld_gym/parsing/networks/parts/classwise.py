"""Layers whose input has one vector a class."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.base import ParsingOutput
from rlld_gym.parsing.networks.han import attentive_pooling
from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.multihead import MultiHeadAttention


class ClasswiseLinear(nn.Module):
    """K linear layers, one a class, each initialised as ``torch.nn.Linear``.

    Args:
        num_classes: K.
        input_size: width of a class's input.
        output_size: width of its output.
    """

    def __init__(self, num_classes: int, input_size: int, output_size: int) -> None:
        super().__init__()
        bound = input_size**-0.5
        self.weight = nn.Parameter(torch.empty(num_classes, output_size, input_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_classes, output_size).uniform_(-bound, bound))

    def forward(self, values: Tensor) -> Tensor:
        """Map (..., K, input_size), each class by its own layer, to (..., K, output_size)."""
        return torch.einsum("...ki,koi->...ko", values, self.weight) + self.bias

    def from_shared(self, values: Tensor) -> Tensor:
        """Map (..., input_size), the same input for all classes, to (..., K, output_size)."""
        rows = functional.linear(values, self.weight.flatten(0, 1), self.bias.flatten())
        return rows.view(*rows.shape[:-1], *self.bias.shape)


class ClassAttention(MultiHeadAttention):
    """Attention among the classes of a segment, which also shows its map."""

    def read(self, query: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Let the classes of ``query`` read from those of ``context``.

        Args:
            query: (..., K, size) float.
            context: (..., L, size) float.

        Returns:
            (..., K, size), and the weights after dropout, averaged over heads, (..., K, L).
        """
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        sought, keys, values = (
            self._by_head(functional.linear(part, weight, bias))
            for part, weight, bias in zip((query, context, context), weights, biases, strict=True)
        )
        scores = sought @ keys.mT * sought.shape[-1] ** -0.5
        attention = dropout(scores.softmax(-1), self.dropout, self.training)
        read: Tensor = self.out_proj((attention @ values).transpose(-2, -3).flatten(-2))
        return read, attention.mean(-3)

    def _by_head(self, values: Tensor) -> Tensor:
        """Turn (..., K, size) into (..., heads, K, size / heads)."""
        return values.view(*values.shape[:-1], self.heads, -1).transpose(-2, -3)


class ClasswisePooling(nn.Module):
    """Attentive multimodal pooling as HAN's, but each class's three scores come from its own vector.

    Args:
        size: width of a class's vector.
        num_classes: number of event classes C.
    """

    def __init__(self, size: int, num_classes: int) -> None:
        super().__init__()
        self.classifier = ClasswiseLinear(num_classes, size, 1)
        self.time_attention = ClasswiseLinear(num_classes, size, 1)
        self.modality_attention = ClasswiseLinear(num_classes, size, 1)

    def forward(self, audio: Tensor, visual: Tensor) -> tuple[ParsingOutput, Tensor]:
        """Pool class vectors, (B, T, C, size) each, to a ``ParsingOutput`` and segment logits (B, T, 2, C)."""
        both = torch.stack((audio, visual), 2)
        parts = (self.classifier, self.time_attention, self.modality_attention)
        logits, time_logits, modality_logits = (part(both).squeeze(-1) for part in parts)
        return attentive_pooling(logits, time_logits, modality_logits), logits
