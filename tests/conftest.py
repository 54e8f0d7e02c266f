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
