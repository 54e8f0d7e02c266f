"""Dropout with cheap random numbers on a CPU, where drawing them took a fifth of a training step."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.parsing.randomness import own_generator

_MEMBERS: ContextVar[Sequence[torch.Generator] | None] = ContextVar("_MEMBERS", default=None)


@contextmanager
def member_generators(generators: Sequence[torch.Generator]) -> Iterator[None]:
    """Let each of M networks that are evaluated together by `torch.func.vmap` draw from its own generator.

    On a CPU each then has the masks that it would have alone, with its generator as the global one. Elsewhere
    masks are drawn for all at once, from the global generator.

    Args:
        generators: M, on the CPU; unused elsewhere.
    """
    token = _MEMBERS.set(generators)
    try:
        yield
    finally:
        _MEMBERS.reset(token)


def dropout(values: Tensor, probability: float, training: bool) -> Tensor:
    """Zero elements at random and scale the others so that the expectation is kept.

    On a CPU one 64-bit random number decides over four elements, and ``probability`` is rounded to a multiple
    of 2^-16; elsewhere this is ``torch.nn.functional.dropout``. Both draw from torch's global generator, unless
    `own_generator` or `member_generators` say otherwise.

    Args:
        values: any shape, float.
        probability: of zeroing an element, in [0, 1].
        training: False returns ``values``.

    Returns:
        The shape and dtype of ``values``.
    """
    if not training or probability == 0.0:
        return values
    dropped = round(probability * 2**16)
    if values.device.type != "cpu":
        return functional.dropout(values, probability)
    if dropped >= 2**16:
        return values * 0.0
    if _MEMBERS.get() is None:
        kept = _kept(values.numel(), dropped, own_generator())
    else:
        kept = _MemberMasks.apply(values.detach(), dropped)  # type: ignore[no-untyped-call]
    return values * kept.to(values.dtype).mul_(2**16 / (2**16 - dropped)).view(values.shape)


def _kept(count: int, dropped: int, generator: torch.Generator | None) -> Tensor:
    """Return (count,) float32 on the CPU, 0 with probability ``dropped`` / 2^16, else 1."""
    numbers = torch.randint(-(2**63), 2**63 - 1, (count // 4 + 1,), generator=generator, device="cpu")
    # 1 from dropped - 2^15 on, 0 below: five times as fast as a comparison, which goes by way of booleans.
    return numbers.view(torch.int16)[:count].float().sub_(dropped - 2**15 - 1).clamp(0, 1)


class _MemberMasks(torch.autograd.Function):
    """Masks of all members at once; only vmap tells how many there are."""

    @staticmethod
    def forward(values: Tensor, dropped: int) -> Tensor:
        raise RuntimeError("member_generators() is in force outside of torch.func.vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep nothing: masks do not depend on the values."""

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], values: Tensor, dropped: int) -> tuple[Tensor, int]:
        """Draw (M, elements of one member), whatever the values are."""
        count = values.numel() // (1 if in_dims[0] is None else info.batch_size)
        members = [_kept(count, dropped, generator) for generator in _MEMBERS.get() or ()]
        return torch.stack(members), 0
