"""One thread a process: tests run side by side, and threads that wait for each other would cost more than they do.

Set before anything imports torch, and inherited by the processes that tests start; so is a folder of their own for
the parsers that episodes start from.
"""

import atexit
import os
import shutil
import tempfile

if "RLLD_CACHE" not in os.environ:
    os.environ["RLLD_CACHE"] = tempfile.mkdtemp(prefix="rlld-tests-")
    atexit.register(shutil.rmtree, os.environ["RLLD_CACHE"], ignore_errors=True)

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a GPU"))
