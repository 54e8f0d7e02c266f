"""Matrix products of sequences, written so that a CPU computes them and their gradients fast."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor


def cheaper_order(sequence: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Take the first step of ``sequence @ first.mT @ second.mT`` in the order that needs fewer multiplications.

    For long sequences it pays to multiply the weights first.

    Args:
        sequence: (..., N, D) float.
        first: (E, D), as the weight of a ``torch.nn.Linear``, or (K, E, D) for a sequence of shape (K, N, D).
        second: (F, E) or (K, F, E), likewise.

    Returns:
        A sequence and a weight, for ``torch.nn.functional.linear``: (..., N, D) and (..., F, D), or (..., N, E) and
        ``second``.
    """
    (inner, width), outer = first.shape[-2:], second.shape[-2]
    count = sequence.numel() // width // first.shape[:-2].numel()
    if outer * width * (inner + count) < count * inner * (width + outer):
        return sequence, second @ first
    return sequence @ first.mT, second


def inner_products(left: Tensor, right: Tensor) -> Tensor:
    """Return the inner product of every element of ``left`` with every element of ``right``.

    ``left @ right.mT``, whose gradient with respect to ``right`` torch computes as the transpose of
    ``left.mT @ gradient``: for short sequences four times as slow as the product that is meant.

    Args:
        left: (B, S, D) float.
        right: (B, T, D) float.

    Returns:
        (B, S, T).
    """
    apply = cast(Callable[[Tensor, Tensor], Tensor], _InnerProducts.apply)
    return apply(left, right)


class _InnerProducts(torch.autograd.Function):
    """``left @ right.mT`` with both gradients in the layout of what they belong to."""

    generate_vmap_rule = True

    @staticmethod
    def forward(left: Tensor, right: Tensor) -> Tensor:
        return left @ right.mT

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        left, right = ctx.saved_tensors
        return gradient @ right, gradient.mT @ left

    @staticmethod
    def jvp(ctx: Any, left_tangent: Tensor, right_tangent: Tensor) -> Tensor:
        left, right = ctx.saved_tensors
        tangent: Tensor = left_tangent @ right.mT + left @ right_tangent.mT
        return tangent
