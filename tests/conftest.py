"""One thread a process: tests run side by side, and threads that wait for each other would cost more than they do.

Set before anything imports torch, and inherited by the processes that tests start; so is a folder of their own for
the parsers that episodes start from.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "SB3_LOGDIR" not in os.environ:
    folder = tempfile.mkdtemp(prefix="rlld-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.setdefault("RLLD_CACHE", folder)
    # Where Stable-Baselines3 would leave a folder of its own for each model that learns.
    os.environ["SB3_LOGDIR"] = os.path.join(folder, "sb3")

os.environ.setdefault("RAY_ADDRESS", "local")  # a cluster of their own, whatever else runs here
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest


def _has_gpu() -> bool:
    # Imported when a test asks: what needs no torch is also tested where there is none.
    import torch  # noqa: PLC0415

    return torch.cuda.is_available()


MARKERS = {
    "gpu": (_has_gpu, "needs a GPU"),
    "long": (lambda: bool(os.environ.get("RLLD_LONG")), "long; RLLD_LONG=1 runs it"),
}
"""Whether tests with a marker can run here, and the reason why not."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU where there is none, and what takes long unless it is asked for.

    Whole programs, the tests beside this file, come first: they take longest, and one that is left for the end is
    waited for by all other processes.
    """
    items.sort(key=lambda item: item.path.parent != Path(__file__).parent)
    for name, (runs, reason) in MARKERS.items():
        marked = [item for item in items if item.get_closest_marker(name)]
        if marked and not runs():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))
