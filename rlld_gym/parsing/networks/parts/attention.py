"""Single-head attention, written out so that it can be differentiated in every way."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.products import cheaper_order


class Attention(nn.Module):
    """Scaled dot-product attention with one head (Vaswani et al., NeurIPS 2017).

    Parameters and initialisation are those of ``torch.nn.MultiheadAttention(size, 1, dropout)``. The
    computation is spelled out because fused kernels have no double backward and no forward-mode derivative,
    which differentiating through a training step needs.

    Args:
        size: width of queries, keys, values and output.
        dropout: probability with which an attention weight is dropped in training mode.
    """

    heads: ClassVar[int] = 1

    def __init__(self, size: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.size = size
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * size, size))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * size))
        self.out_proj = nn.Linear(size, size)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Let every element of ``query`` read from ``context``, its own sequence or another one.

        Args:
            query: (B, T, size) float.
            context: (B, S, size) float.

        Returns:
            (B, T, size).
        """
        return attend((self,), query.unsqueeze(0), context).squeeze(0)


def attend(attentions: Sequence[Attention], queries: Tensor, context: Tensor) -> Tensor:
    """Let K attentions, each with its own queries, read from the same context at once.

    With one head, keys and values need not be computed. A score is the inner product q.(K c + k) of a query with
    the projected context: K' q can be compared with the context itself, and q.k, the same for every c, drops out
    of the softmax. Likewise O (sum_c w_c (V c + v)) + o = O V (sum_c w_c c) + (sum_c w_c) O v + o. This is equal
    up to rounding, at half the multiplications.

    Args:
        attentions: K of equal size, dropout and mode.
        queries: (K, B, T, size) float.
        context: (B, S, size) float.

    Returns:
        (K, B, T, size).
    """
    count, batch, length, size = queries.shape
    in_weight = torch.stack([attention.in_proj_weight for attention in attentions])
    in_bias = torch.stack([attention.in_proj_bias for attention in attentions]).unsqueeze(1)
    out_weight = torch.stack([attention.out_proj.weight for attention in attentions])
    out_bias = torch.stack([attention.out_proj.bias for attention in attentions]).unsqueeze(1)
    query_weight, key_weight, value_weight = in_weight.chunk(3, 1)
    query_bias, _, value_bias = in_bias.chunk(3, 2)

    key_weight = key_weight * size**-0.5
    rows, weight = cheaper_order(queries.flatten(1, 2), query_weight, key_weight.mT)
    sought = torch.baddbmm(torch.bmm(query_bias, key_weight), rows, weight.mT).view_as(queries)
    # One product per video compares its context with the queries of all attentions: (B, S, K T).
    scores = torch.bmm(context, sought.transpose(0, 1).flatten(1, 2).mT)
    # Normalised over rows, not columns: a CPU vectorises that.
    weights = dropout(scores.softmax(-2), attentions[0].dropout, attentions[0].training)

    def by_attention(part: Tensor) -> Tensor:
        return part.view(batch, count, length, -1).transpose(0, 1).reshape(count, batch * length, -1)

    rows, weight = cheaper_order(by_attention(torch.bmm(weights.mT, context)), value_weight, out_weight)
    mass = by_attention(weights.sum(-2))
    offset = torch.addcmul(out_bias, mass, torch.bmm(value_bias, out_weight.mT))
    return torch.baddbmm(offset, rows, weight.mT).view_as(queries)
