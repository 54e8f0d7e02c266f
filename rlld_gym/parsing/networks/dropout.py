"""Dropout with cheap random numbers on a CPU, where drawing them took a fifth of a training step."""

import torch
from torch import Tensor
from torch.nn import functional


def dropout(values: Tensor, probability: float, training: bool) -> Tensor:
    """Zero elements at random and scale the others so that the expectation is kept.

    On a CPU one 64-bit random number decides over four elements, and ``probability`` is rounded to a multiple
    of 2^-16; elsewhere this is ``torch.nn.functional.dropout``. Both draw from torch's global generator.

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
    if values.device.type != "cpu" or dropped >= 2**16:
        return functional.dropout(values, probability)
    count = values.numel()
    numbers = torch.randint(-(2**63), 2**63 - 1, (count // 4 + 1,)).view(torch.int16)[:count]
    # 1 from dropped - 2^15 on, 0 below: five times as fast as a comparison, which goes by way of booleans.
    kept = numbers.float().sub_(dropped - 2**15 - 1).clamp(0, 1)
    return values * kept.to(values.dtype).mul_(2**16 / (2**16 - dropped)).view(values.shape)
