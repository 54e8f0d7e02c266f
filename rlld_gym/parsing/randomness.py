"""Random numbers that neither depend on the program's global random state nor change it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded_random_state(seed: int, device: str | torch.device = "cpu") -> Iterator[None]:
    """Run the body from a seeded torch random state and put the previous state back afterwards.

    Modules draw initial weights and dropout masks from torch's global generators, so these are lent out.

    Args:
        seed: non-negative, below 2^63.
        device: the device whose generator is seeded and restored besides the CPU's. Generators of other
            devices are not touched.
    """
    device = torch.device(device)
    cuda_devices = []
    if device.type == "cuda":
        cuda_devices = [device.index if device.index is not None else torch.cuda.current_device()]
    with torch.random.fork_rng(devices=cuda_devices):
        # torch.manual_seed would seed every GPU, and fork_rng restores only the one in use.
        torch.default_generator.manual_seed(seed)
        for index in cuda_devices:
            torch.cuda.default_generators[index].manual_seed(seed)
        yield
