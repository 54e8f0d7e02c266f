"""Attention with several heads, written out so that it can be differentiated in every way."""

import torch
from torch import Tensor, nn

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks.parts.attention import Attention
from rlld_gym.parsing.networks.parts.dropout import dropout


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention (Vaswani et al., NeurIPS 2017) with the parameters of torch's module.

    For one head `rlld_gym.parsing.networks.parts.attention.Attention` is cheaper.

    Args:
        size: width of queries, keys, values and output.
        heads: into which ``size`` is divided.
        dropout: probability with which an attention weight is dropped in training mode.

    Raises:
        InputError: ``size`` is no multiple of ``heads``.
    """

    def __init__(self, size: int, heads: int, dropout: float = 0.1) -> None:
        super().__init__()
        require_heads(size, heads)
        self.heads = heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * size))
        self.out_proj = nn.Linear(size, size)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Let every element of ``query`` (B, T, size) read from ``context`` (B, S, size); return (B, T, size)."""
        query_weight, key_weight, value_weight = self.in_proj_weight.chunk(3)
        query_bias, key_bias, value_bias = self.in_proj_bias.chunk(3)
        attended = attend_heads(
            nn.functional.linear(query, query_weight, query_bias),
            nn.functional.linear(context, key_weight, key_bias),
            nn.functional.linear(context, value_weight, value_bias),
            self.heads,
            dropped=self.dropout if self.training else 0.0,
        )
        output: Tensor = self.out_proj(attended)
        return output


def attention_layer(size: int, heads: int, dropout: float) -> Attention | MultiHeadAttention:
    """Return an attention of a number of heads, in the form that is cheapest for it; parameters are the same.

    Raises:
        InputError: ``size`` is no multiple of ``heads``.
    """
    return Attention(size, dropout) if heads == 1 else MultiHeadAttention(size, heads, dropout)


def numbers_of_heads(network: nn.Module) -> list[int]:
    """Return into how many heads each attention of a network is divided, which its weights do not tell."""
    found = (getattr(part, "heads", None) for part in network.modules())
    return [heads for heads in found if isinstance(heads, int)]


def attend_heads(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    *,
    allowed: Tensor | None = None,
    dropped: float = 0.0,
) -> Tensor:
    """Return softmax(Q K' / sqrt(D / heads)) V of every head, the heads side by side.

    Args:
        query: (B, T, D) float, projected.
        key: (B, S, D), projected.
        value: (B, S, D), projected.
        heads: into which D is divided.
        allowed: (T, S) bool, which elements may be read; None: all.
        dropped: probability with which an attention weight is dropped.

    Returns:
        (B, T, D).
    """
    query, key, value = (_split_heads(part, heads) for part in (query, key, value))
    scores = query @ key.mT * query.shape[-1] ** -0.5
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -1e9)
    weights = dropout(scores.softmax(-1), dropped, training=True)
    return (weights @ value).transpose(1, 2).flatten(2)


def _split_heads(values: Tensor, heads: int) -> Tensor:
    """Return (B, heads, T, D / heads) of (B, T, D)."""
    return values.reshape(*values.shape[:2], heads, -1).transpose(1, 2)


def require_heads(size: int, heads: int) -> None:
    """Raise InputError where a width cannot be divided into heads."""
    if heads < 1 or size % heads:
        raise InputError(
            f"a width of {size} cannot be divided into {heads} heads: choose a width (hidden_size, or class_size "
            f"of classes) that is a multiple of {heads}"
        )
