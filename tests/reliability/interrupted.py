"""Ends works at every write, or lets every write fail; then they go on, and must come to the same end.

In a program of its own, with `fail_at_write.c` loaded before everything else, all calls of the system that change
files count, those of C libraries as well:

    python -m tests.reliability.interrupted [train-paper train-rlld benchmark ...] [--modes kill full denied]
        [--every N] [--first N]

`trials` is the same with Python's own calls only; it needs no compiler, and runs in the tests.
"""

import argparse
import ctypes
import errno
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.reliability.works import WORKS, Work, content, emptied, load_modules, make_inputs

MODES = {"kill": 0, "full": errno.ENOSPC, "denied": errno.EACCES}
"""errno of the calls that fail; 0: the process is ended with SIGKILL."""

COMPLAINT = re.compile(
    r"(Exception ignored in: 'h5py[^\n]*\n)?Traceback \(most recent call last\):\n"
    r"(  File \"h5py/_objects[^\n]*\n)+RuntimeError: [^\n]*\n(, filename[^\n]*\n)?"
)
"""What HDF5 says of its own accord when it lets go of a file that it could not write."""
CHANGES = ("os.rename", "os.remove", "os.mkdir")

Arm = Callable[[str, int, int], Callable[[], int]]
"""From a folder, the number of a call, and an errno, to what tells how many calls there were."""


def in_child(action: Callable[[], int], output: Path) -> int:
    """Run something in a forked process whose output goes to a file; return its status, negative for a signal."""
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        status = 70
        try:
            status = action()
        except BaseException:
            import traceback  # noqa: PLC0415

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def arm_audit(folder: str, at: int, error: int) -> Callable[[], int]:
    """Count Python's calls that open files for writing, rename, remove and make folders; and ``os.fsync``."""
    calls = 0

    def hit() -> None:
        nonlocal calls
        calls += 1
        if at and calls >= at:
            if not error:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(error, os.strerror(error))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        counts = event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        if counts and not (error and event == "os.remove"):
            path = arguments[0]
            if isinstance(path, str | os.PathLike) and os.path.abspath(path).startswith(folder):
                hit()

    fsync = os.fsync

    def counted_fsync(file: int) -> None:
        hit()
        fsync(file)

    os.fsync = counted_fsync  # type: ignore[assignment]
    sys.addaudithook(hook)
    return lambda: calls


def arm_library(folder: str, at: int, error: int) -> Callable[[], int]:
    """Count all calls of the system, with `fail_at_write.c`."""
    library = ctypes.CDLL(None)
    library.fail_arm(os.fsencode(folder), ctypes.c_long(at), error)
    return lambda: int(library.fail_count())


def run(words: Sequence[str]) -> int:
    """Run a command in this process, cells of a study as well."""
    from rlld_agents.cli import main  # noqa: PLC0415
    from rlld_agents.experiments.study import sweep  # noqa: PLC0415

    def in_this_process(cells: Any, folder: Any, *_: Any, **__: Any) -> None:
        for cell in cells:
            sweep.run_or_explain(cell, folder, lambda _: None)

    sweep.run_in_processes = in_this_process
    return main(list(words))


def trials(  # noqa: PLR0917
    work: Work, mode: str, inputs: Path, folder: Path, arm: Arm, choose: Callable[[range], Sequence[int]]
) -> Iterator[tuple[int, int, str]]:
    """Let a work fail at chosen calls, let it go on, and compare.

    Args:
        work: what to run.
        mode: of `MODES`.
        inputs: folder of `make_inputs`.
        folder: to work in.
        arm: how calls are counted.
        choose: from the numbers of all calls to those to try.

    Yields:
        For each: the number of the call, how many there are, and what is wrong, empty if nothing.
    """
    output, place = folder / "output.txt", folder / "work"
    count_file = folder / "count"

    def counted() -> int:
        count = arm(str(place), 0, 0)
        status = run(work.start(inputs, place))
        count_file.write_text(str(count()))
        return status

    emptied(place)
    assert in_child(counted, output) == 0, output.read_text()
    expected, total = content(place), int(count_file.read_text())
    for number in choose(range(1, total + 1)):
        emptied(place)

        def failing(at: int = number) -> int:
            arm(str(place), at, MODES[mode])
            return run(work.start(inputs, place))

        first = in_child(failing, output)
        told = output.read_text(errors="replace")
        again = in_child(lambda: run(work.words(inputs, place)), output) if first else 0
        fault = _fault(mode, first, told)
        if not fault and again != 0:
            fault = f"cannot go on: {output.read_text(errors='replace')[-600:]}"
        yield number, total, fault or _difference(expected, content(place))


def _fault(mode: str, first: int, told: str) -> str:
    """Return what is wrong with the way a command ended, given its status and what it said."""
    told = COMPLAINT.sub("", told)
    if mode == "kill" and first != -signal.SIGKILL:
        return f"was not ended but returned {first}: {told[-300:]}"
    if mode != "kill" and (first not in (0, 1, 2) or "Traceback" in told):
        return f"returned {first}: {told[-600:]}"
    return ""


def _difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """Return in which files two contents differ."""
    different = [name for name in {**expected, **found} if expected.get(name) != found.get(name)]
    return f"other content in {', '.join(different)}" if different else ""


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("works", nargs="*", default=list(WORKS), help=", ".join(WORKS))
    parser.add_argument("--modes", nargs="+", default=list(MODES), choices=list(MODES))
    parser.add_argument(
        "--every", type=int, default=1, help="try only every so many calls, from a random one on"
    )
    parser.add_argument("--first", type=int, default=1, help="leave out the calls before this one")
    options = parser.parse_args()
    if "fail_at_write" not in os.environ.get("LD_PRELOAD", ""):
        return _again_with_library()
    import torch  # noqa: PLC0415

    load_modules()
    torch.set_num_threads(1)
    faults = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["RLLD_CACHE"] = str(folder / "cache")
        make_inputs(folder)
        for work in options.works:
            for mode in options.modes:
                start, done, total = time.monotonic(), 0, 0
                chosen = partial(_some, options.every, options.first)
                for number, total, fault in trials(WORKS[work], mode, folder, folder, arm_library, chosen):
                    done += 1
                    if fault:
                        faults += 1
                        print(f"{work}, {mode} at call {number} of {total}: {fault}", flush=True)
                    if done % 20 == 0:
                        print(f"{work}, {mode}: up to call {number} of {total}", flush=True)
                seconds = time.monotonic() - start
                print(f"{work}, {mode}: {done} trials, {total} calls, {seconds:.0f} s", flush=True)
    print(f"{faults} faults")
    return min(faults, 1)


def _some(every: int, first: int, numbers: range) -> range:
    """Return every so many of the numbers from the first on, beginning with a seeded random one."""
    return numbers[first - 1 :][random.Random(0).randrange(every) :: every]


def _again_with_library() -> int:
    """Compile the library and run this program with it."""
    source = Path(__file__).with_name("fail_at_write.c")
    with tempfile.TemporaryDirectory() as name:
        library = Path(name) / "fail_at_write.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        words = [sys.executable, "-m", "tests.reliability.interrupted", *sys.argv[1:]]
        return subprocess.run(words, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(_main())
