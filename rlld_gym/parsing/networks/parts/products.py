"""The order of matrix products."""

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
