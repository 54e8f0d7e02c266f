"""Choosing a device, and checking one that was chosen."""

import torch

from rlld_gym.errors import InputError


def checked_device(device: str) -> str:
    """Return the name of a device that may exist, without touching it.

    Raises:
        InputError: no name of a CPU or a CUDA device, and not "auto".
    """
    if device == "auto":
        return device
    try:
        parsed = torch.device(device)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f'device is {device!r}; expected "auto", "cpu", "cuda" or "cuda:N"') from error
    if parsed.type not in ("cpu", "cuda"):
        raise InputError(f'device is {device!r}; expected "auto", "cpu", "cuda" or "cuda:N"')
    return str(parsed)


def resolved_device(device: str) -> str:
    """Return the device that a checked name stands for: "cpu", or "cuda:N".

    Raises:
        InputError: a GPU is asked for that torch does not find.
    """
    parsed = torch.device(_first(device))
    if parsed.type == "cpu":
        return "cpu"
    index, found = parsed.index or 0, torch.cuda.device_count()
    if index >= found:
        raise InputError(f'device is {device!r}, but torch finds {found} GPUs here; use "cpu" or "auto"')
    return f"cuda:{index}"


def choose_device(device: str) -> torch.device:
    """Return the device that an option --device names; "auto" is the first GPU there is, else the CPU.

    Raises:
        InputError: for a device that torch does not know or that this machine lacks.
    """
    device = _first(device)
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen).item()  # "meta" has no values
    except (RuntimeError, AssertionError, NotImplementedError, ValueError, OverflowError) as error:
        detail = str(error).partition("\n")[0][:100]
        raise InputError(f"--device {device}: not usable here ({detail}); try --device cpu") from error
    # By the name that the environment uses, so that both share one copy of the data.
    return torch.device("cuda", 0) if chosen == torch.device("cuda") else chosen


def _first(device: str) -> str:
    """Return the device that "auto" stands for; any other name as it is."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"
