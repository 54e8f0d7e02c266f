"""A reward of the user's own: a function, named "module:function", of what a step brought about.

It is called once a step with the `rlld_gym.denoising.process.StepResult` and returns a tensor on the same device:
of shape (B, 2), what each video is paid in the audio and in the visual branch, or (2,), what the branches are paid,
that is, every video in them. Nothing else is paid: neither the inter- nor the terminal reward is added, but both
can be computed from the result.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rlld_gym.errors import InputError
from rlld_gym.plugins import load_plugin


def is_own_reward(reward: Any) -> bool:
    """Return whether the option ``reward`` names a function, not one of the rewards of this package."""
    return isinstance(reward, str) and ":" in reward


def load_reward(reward: str) -> Callable[[Any], Tensor]:
    """Return the function that "module:function" names; modules in the working directory are found, too.

    Raises:
        InputError: there is no such module or function.
    """
    found: Callable[[Any], Tensor] = load_plugin(reward, "reward")
    if not callable(found):
        raise InputError(
            f"reward {reward}: is a {type(found).__name__}; expected a function of a step's result"
        )
    return found


def per_video(value: Any, like: Tensor, reward: str) -> Tensor:
    """Return what a function paid, for each video and branch.

    Args:
        value: what it returned.
        like: (B, 2), tensor of the shape and on the device that is expected.
        reward: the function's name, for the message.

    Returns:
        (B, 2) float32, without gradients.

    Raises:
        InputError: the value is no dense real tensor of shape (B, 2) or (2,), or holds NaN or infinity.
    """
    expected = f"expected a tensor {tuple(like.shape)}, for each video and branch, or (2,), for each branch"
    if not isinstance(value, Tensor):
        raise InputError(f"reward {reward}: returned a {type(value).__name__}; {expected}")
    if value.shape not in (like.shape, (2,)):
        raise InputError(f"reward {reward}: returned shape {tuple(value.shape)}; {expected}")
    if value.is_complex() or value.layout is not torch.strided or value.is_meta:
        raise InputError(
            f"reward {reward}: returned a tensor {value.dtype}, {value.layout}, {value.device}; {expected}"
        )
    paid = value.detach().to(like.device, torch.float32).expand_as(like)
    if not bool(torch.isfinite(paid).all()):
        raise InputError(f"reward {reward}: returned NaN or infinity; {expected}, of finite numbers")
    return paid
