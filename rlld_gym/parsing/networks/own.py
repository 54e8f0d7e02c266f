"""A task network of the user's own is tried once, before it is trained."""

from typing import Final

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks.base import GROUP, HOMES, ParsingOutput, TaskNetwork
from rlld_gym.parsing.randomness import seeded_random_state
from rlld_gym.plugins import is_plugin

_VIDEOS: Final = 2
_ROUNDING: Final = 1e-4
_MOST: Final = {"video": 2.0}
"""Highest values by field; others are probabilities. Attentive multimodal pooling adds up two."""


def is_own(name: str) -> bool:
    """Return whether a network's name is that of code from outside."""
    return name not in HOMES and is_plugin(name, GROUP)


def check_own_network(name: str, network: TaskNetwork, split: SplitTensors) -> None:
    """Try a network on some videos; its weights stay as they are.

    Args:
        name: of the network, for messages.
        network: on the split's device.
        split: has at least one video.

    Raises:
        InputError: it does not return what `TaskNetwork` promises: type, shapes, dtype, finite numbers in range,
            and a graph that leads to a parameter.
    """
    place = f"task network {name}"
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise InputError(f"{place}: has no parameter to train")
    rows = torch.arange(min(_VIDEOS, len(split)), device=split.labels.device)
    was_training = network.training
    try:
        with seeded_random_state(0, rows.device), torch.enable_grad():
            output = network.eval()(*split.batch(rows))
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{place}: fails on two videos ({type(error).__name__}: {error})") from error
    finally:
        network.train(was_training)
    if not isinstance(output, ParsingOutput):
        raise InputError(
            f"{place}: returned a {type(output).__name__}; expected rlld_gym.parsing.networks.ParsingOutput"
        )
    number, classes = len(rows), split.labels.shape[1]
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("video", "audio", "visual"), (number, classes))
    shapes["segment"] = (number, split.audio.shape[1], 2, classes)
    for field, shape in shapes.items():
        _check_field(f"{place}: {field}", getattr(output, field), shape, _MOST.get(field, 1.0))
    if not output.video.requires_grad:
        raise InputError(f"{place}: video has no gradient; do not detach what is to be learned")


def _check_field(place: str, value: object, shape: tuple[int, ...], most: float) -> None:
    """Raise InputError unless a field is a tensor of this shape with values from 0 to ``most``, up to rounding."""
    if not isinstance(value, Tensor) or tuple(value.shape) != shape or value.dtype != torch.float32:
        found = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise InputError(f"{place} is {found}; expected float32 {shape}")
    if not bool(torch.isfinite(value).all()):
        raise InputError(f"{place} holds NaN or infinity")
    low, high = float(value.detach().min()), float(value.detach().max())
    if low < -_ROUNDING or high > most + _ROUNDING:
        raise InputError(
            f"{place} lies between {low:.3g} and {high:.3g}; expected probabilities, 0 to {most:g}: is a sigmoid "
            "missing?"
        )
