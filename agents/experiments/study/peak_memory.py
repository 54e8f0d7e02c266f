"""The peak of this process's memory since a cell began, so that one process can run cell after cell."""

import resource
import sys
from pathlib import Path
from typing import Final

RESET: Final = Path("/proc/self/clear_refs")
STATUS: Final = Path("/proc/self/status")


def reset_peak_memory() -> bool:
    """Begin to measure anew; return whether this system can do that, Linux mostly can (see proc(5), clear_refs)."""
    try:
        RESET.write_text("5")
    except OSError:
        return False
    return True


def peak_memory() -> float:
    """Return the peak of this process's memory in MB, since the last reset or, without one, since its start."""
    try:
        lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6
