"""A second device without hardware: tensors without values that refuse to be mixed with those of the CPU.

Under `FakeTensorMode` an operation is run for its result's shape, type and device only. "lazy" is the one device
type that a CPU build of torch lets one move to. Reading a value, as ``item()`` or a mask as an index does, raises:
on a GPU it would wait for the device.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from rlld_gym.data.tensors import SplitTensors, StoreTensors

DEVICE = torch.device("lazy")


@contextmanager
def second_device() -> Iterator[FakeTensorMode]:
    """Let tensors exist on `DEVICE`; real ones count as the CPU's."""
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        yield mode


def moved(tensor: Tensor, mode: FakeTensorMode) -> Tensor:
    """Return a tensor of the same shape and type on the second device."""
    return FakeTensor(mode, tensor.to("meta"), DEVICE)


def moved_split(split: SplitTensors, mode: FakeTensorMode) -> SplitTensors:
    """Return a split on the second device."""
    fields = {field.name: getattr(split, field.name) for field in dataclasses.fields(split)}
    return SplitTensors(
        **{name: moved(value, mode) if isinstance(value, Tensor) else value for name, value in fields.items()}
    )


def moved_store(store: StoreTensors, mode: FakeTensorMode) -> StoreTensors:
    """Return a store on the second device."""
    return StoreTensors({name: moved_split(split, mode) for name, split in store.items()})


def move_network(network: nn.Module, mode: FakeTensorMode) -> None:
    """Move a network's parameters and buffers to the second device, in place.

    `torch.nn.Module.to` cannot: it swaps tensors, and those without values cannot be swapped.
    """
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                there = nn.Parameter(moved(parameter.detach(), mode), requires_grad=parameter.requires_grad)
                module._parameters[name] = there
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = moved(buffer, mode)
