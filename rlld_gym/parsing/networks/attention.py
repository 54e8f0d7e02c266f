"""Single-head attention, written out so that it can be differentiated in every way."""

import torch
from torch import Tensor, nn

from rlld_gym.parsing.networks.dropout import dropout
from rlld_gym.parsing.networks.products import inner_products, project_twice


class Attention(nn.Module):
    """Scaled dot-product attention with one head (Vaswani et al., NeurIPS 2017).

    Parameters and initialisation are those of ``torch.nn.MultiheadAttention(size, 1, dropout)``. The
    computation is spelled out because fused kernels have no double backward and no forward-mode derivative,
    which differentiating through a training step needs.

    With one head, keys and values need not be computed. A score is the inner product q.(K c + k) of a query with
    the projected context: K' q can be compared with the context itself, and q.k, the same for every c, drops out
    of the softmax. Likewise O (sum_c w_c (V c + v)) + o = O V (sum_c w_c c) + (sum_c w_c) O v + o. This is equal
    up to rounding, at half the multiplications.

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
        """Let every element of ``query`` read from ``context``, its own sequence or another one.

        Args:
            query: (B, T, size) float.
            context: (B, S, size) float.

        Returns:
            (B, T, size).
        """
        query_weight, key_weight, value_weight = self.in_proj_weight.chunk(3)
        query_bias, _, value_bias = self.in_proj_bias.chunk(3)
        key_weight = key_weight * self.size**-0.5
        sought = project_twice(query, query_weight, key_weight.T) + query_bias @ key_weight
        # Normalised over rows, not columns: a CPU vectorises that.
        weights = inner_products(context, sought).softmax(-2)
        weights = dropout(weights, self.dropout, self.training)
        read = weights.mT @ context
        output = project_twice(read, value_weight, self.out_proj.weight) + self.out_proj.bias
        return torch.addcmul(output, weights.sum(-2).unsqueeze(-1), self.out_proj.weight @ value_bias)
