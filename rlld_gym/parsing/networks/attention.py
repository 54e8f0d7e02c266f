"""Single-head attention, written out so that it can be differentiated in every way."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.dropout import dropout


class Attention(nn.Module):
    """Scaled dot-product attention with one head (Vaswani et al., NeurIPS 2017).

    Parameters and initialisation are those of ``torch.nn.MultiheadAttention(size, 1, dropout)``. The
    computation is spelled out because fused kernels have no double backward and no forward-mode derivative,
    which differentiating through a training step needs.

    Args:
        size: width of queries, keys, values and output.
        dropout: probability with which an attention weight is dropped in training mode.
    """

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
        """Let every element of ``query`` read from ``context``; the same object for both is self-attention.

        Args:
            query: (B, T, size) float.
            context: (B, S, size) float.

        Returns:
            (B, T, size).
        """
        if query is context:
            projected = functional.linear(query, self.in_proj_weight, self.in_proj_bias)
            queries, keys, values = projected.chunk(3, -1)
        else:
            parts = (self.size, 2 * self.size)
            query_weight, context_weight = self.in_proj_weight.split_with_sizes(parts)
            query_bias, context_bias = self.in_proj_bias.split_with_sizes(parts)
            queries = functional.linear(query, query_weight, query_bias)
            keys, values = functional.linear(context, context_weight, context_bias).chunk(2, -1)
        scores = torch.matmul(queries, keys.transpose(-2, -1)) * self.size**-0.5
        attended = torch.matmul(dropout(scores.softmax(-1), self.dropout, self.training), values)
        output: Tensor = self.out_proj(attended)
        return output
