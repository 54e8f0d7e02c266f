"""Parts of the multi-modal grouping network: transformer blocks, and blocks that gather segments in groups.

Grouping by attention is that of Xu et al., "GroupViT", CVPR 2022; its use here that of Mo and Tian, "Multi-modal
Grouping Network for Weakly-Supervised Audio-Visual Video Parsing", NeurIPS 2022.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.multihead import attend_heads, require_heads
from rlld_gym.parsing.randomness import own_generator

_MLP_RATIO = 4


class MLP(nn.Module):
    """Two linear layers with a GELU (the exact one) between."""

    def __init__(self, size: int, inner_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(size, inner_size)
        self.outer = nn.Linear(inner_size, size)

    def forward(self, values: Tensor) -> Tensor:
        """Map (..., size) to (..., size)."""
        mapped: Tensor = self.outer(functional.gelu(self.inner(values)))
        return mapped


class Block(nn.Module):
    """A pre-norm transformer block (Dosovitskiy et al., ICLR 2021) whose residual branches are dropped at random.

    Args:
        size: width of the tokens.
        heads: of the attention.
        drop_path: probability with which a video skips a branch in training mode.
    """

    def __init__(self, size: int, heads: int, drop_path: float) -> None:
        super().__init__()
        require_heads(size, heads)
        self.heads = heads
        self.drop_path = drop_path
        self.attention_norm = nn.LayerNorm(size)
        self.query_key_value = nn.Linear(size, 3 * size)
        self.attention_out = nn.Linear(size, size)
        self.mlp_norm = nn.LayerNorm(size)
        self.mlp = MLP(size, _MLP_RATIO * size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Update (B, N, size)."""
        query, key, value = self.query_key_value(self.attention_norm(tokens)).chunk(3, -1)
        attended = self.attention_out(attend_heads(query, key, value, self.heads))
        tokens = tokens + self._drop(attended)
        return tokens + self._drop(self.mlp(self.mlp_norm(tokens)))

    def _drop(self, branch: Tensor) -> Tensor:
        if not self.training:
            return branch
        # Made from the branch, not anew, so that networks under vmap draw masks of their own.
        ones = torch.ones_like(branch[:, :1, :1]) + 0 * branch[:, :1, :1].detach()
        return branch * dropout(ones, self.drop_path, training=True)


class CrossAttention(nn.Module):
    """Attention of tokens to segments with separate projections; one head where ``heads`` is 1."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        require_heads(size, heads)
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.out = nn.Linear(size, size)

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """Let (B, G, size) read from (B, S, size); return (B, G, size)."""
        read = attend_heads(self.query(query), self.key(context), self.value(context), self.heads)
        output: Tensor = self.out(read)
        return output


class Grouping(nn.Module):
    """Gathers segments in groups, whose tokens become averages of the segments assigned to them.

    Args:
        size: width of tokens and segments.
        groups: number of tokens G.
        heads: of the attention before the assignment.
        hard: assign each segment to one group, by Gumbel noise with a straight-through gradient in training mode
            and by the maximum otherwise; False: softly, to all groups.
    """

    def __init__(self, size: int, groups: int, heads: int, hard: bool) -> None:
        super().__init__()
        self.hard = hard
        self.token_norm = nn.LayerNorm(size)
        self.segment_norm = nn.LayerNorm(size)
        self.token_mixing = MLP(groups, size // 2)
        self.mixed_norm = nn.LayerNorm(size)
        self.attention = CrossAttention(size, heads)
        self.attended_norm = nn.LayerNorm(size)
        self.attended_mlp = MLP(size, _MLP_RATIO * size)
        self.query_norm = nn.LayerNorm(size)
        self.assignment = CrossAttention(size, 1)
        self.output_norm = nn.LayerNorm(size)
        self.output_mlp = MLP(size, _MLP_RATIO * size)

    def forward(self, segments: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Group a batch.

        Args:
            segments: (B, S, size).
            tokens: (B, G, size).

        Returns:
            New tokens (B, G, size), and how much of each segment belongs to each group, (B, G, S), softly.
        """
        segments = self.segment_norm(segments)
        tokens = self.mixed_norm(self.token_mixing(self.token_norm(tokens).mT).mT)
        tokens = tokens + self.attention(tokens, segments)
        tokens = self.query_norm(tokens + self.attended_mlp(self.attended_norm(tokens)))
        logits = self.assignment.query(tokens) @ self.assignment.key(segments).mT * tokens.shape[-1] ** -0.5
        soft = logits.softmax(-2)
        shares = self._hard(logits, soft) if self.hard else soft
        shares = shares / (shares.sum(-1, keepdim=True) + 1)
        tokens = tokens + self.assignment.out(shares @ self.assignment.value(segments))
        return tokens + self.output_mlp(self.output_norm(tokens)), soft

    def _hard(self, logits: Tensor, soft: Tensor) -> Tensor:
        """Return 1 for the group that each segment is assigned to, else 0."""
        if self.training:
            generator = own_generator(logits.device)
            uniform = torch.rand(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
            noise = -(-uniform.clamp(min=1e-20).log()).clamp(min=1e-20).log()
            soft = (logits + noise).softmax(-2)
        chosen = torch.zeros_like(soft).scatter(-2, soft.argmax(-2, keepdim=True), 1.0)
        return chosen - soft.detach() + soft if self.training else chosen


class GroupingTransformer(nn.Module):
    """Transformer blocks over segments and tokens together, then a grouping of the segments by the tokens.

    Args:
        size: width.
        groups: number of tokens G.
        depth: number of blocks.
        heads: of all attentions but the assignment's.
        drop_path: see `Block`.
        renewed_segments: S; builds a second grouping, which replaces the segments by S others after the blocks;
            None: no such part.
    """

    def __init__(
        self,
        size: int,
        groups: int,
        depth: int,
        heads: int,
        *,
        drop_path: float,
        renewed_segments: int | None = None,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(size, heads, drop_path) for _ in range(depth)])
        # The published code inverts a flag here: this part is hard where the others are soft.
        self.renewal = (
            None if renewed_segments is None else Grouping(size, renewed_segments, heads, hard=True)
        )
        self.grouping = Grouping(size, groups, heads, hard=False)

    def forward(
        self, segments: Tensor, tokens: Tensor, renewed: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Group a batch: (B, S, size) by (B, G, size), with tokens (B, S, size) for the renewal; see `Grouping`."""
        count = segments.shape[1]
        both = torch.cat((segments, tokens), 1)
        for block in self.blocks:
            both = block(both)
        segments, tokens = both[:, :count], both[:, count:]
        if self.renewal is not None and renewed is not None:
            segments, _ = self.renewal(segments, renewed)
        grouped: tuple[Tensor, Tensor] = self.grouping(segments, tokens)
        return grouped
