"""How much of the machine this process may use."""

import os


def available_cores() -> int:
    """Return the number of cores that this process may run on, at least 1: ``taskset`` and the like narrow them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
