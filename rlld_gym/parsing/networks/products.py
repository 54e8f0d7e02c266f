"""Matrix products of sequences, written so that a CPU computes them and their gradients fast."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor


def project_twice(sequence: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Apply two linear maps without biases, one after the other, in the cheaper order of multiplication.

    Where the sequences have more elements than ``second`` has columns, it pays to multiply the weights first.

    Args:
        sequence: (..., D) float.
        first: (E, D), as the weight of a ``torch.nn.Linear``.
        second: (F, E), likewise.

    Returns:
        (..., F): ``sequence @ first.T @ second.T``.
    """
    rows: Tensor = torch.linalg.multi_dot((sequence.flatten(0, -2), first.T, second.T))
    return rows.view(*sequence.shape[:-1], -1)


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
