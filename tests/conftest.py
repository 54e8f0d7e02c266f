"""One thread a process: tests run side by side, and threads that wait for each other would cost more than they do.

Set before anything imports torch, and inherited by the processes that tests start.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
