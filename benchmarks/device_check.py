"""One command for a machine with an accelerator: does everything run there, agree with the CPU, and how fast?

    python -m benchmarks.device_check                          # cuda, under 8 minutes
    python -m benchmarks.device_check --device cpu --quick     # tries the program itself, half a minute

Writes docs/results/device_check.md and .json as it goes, so that what is done stays when time is up. Each check
is a row: what, found, expected, verdict ("ok", "FAILS", "measured", or "not run" with the reason).
"""

import argparse
import dataclasses
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.device_checks import agreement, speed, waits
from benchmarks.device_checks.row import Row, Scope
from rlld_agents.reports.results import markdown
from rlld_gym.files import write_json, write_text

Check = Callable[[Scope], Iterator[Row]]


def gpu_tests(scope: Scope) -> Iterator[Row]:
    """Run the tests that are marked gpu."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests"]
    if scope.device == "cpu":
        yield Row("tests marked gpu", "", "all pass", "not run: they need a GPU")
        return
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=scope.left())
    last = (done.stdout.strip().splitlines() or [done.stderr.strip()[-200:]])[-1]
    yield Row("tests marked gpu", last, "all pass", "ok" if done.returncode == 0 else "FAILS")


def main_job(scope: Scope) -> Iterator[Row]:
    """Run the main job in its quick form."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rlld_agents", "train", "--quick", "--device", scope.device]
        start = time.perf_counter()
        done = subprocess.run(
            [*command, "--out", f"{folder}/run"],
            capture_output=True,
            text=True,
            check=False,
            timeout=scope.left(),
        )
        seconds = time.perf_counter() - start
    verdict = "ok" if done.returncode == 0 else f"FAILS: {done.stderr.strip()[-300:]}"
    yield Row("rlld train --quick", f"{seconds:.0f} s", "a table", verdict)


CHECKS: tuple[Check, ...] = (
    agreement.of_networks,
    agreement.of_training,
    agreement.of_bfloat16,
    waits.in_training,
    main_job,
    gpu_tests,
    speed.of_environments,
    speed.of_stacks,
    speed.of_exploration,
)
"""In the order of what one wants to know first."""


def main() -> None:
    """Run the checks that fit into the time, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="small data and few turns")
    parser.add_argument("--seconds", type=float, default=450.0, help="when to stop starting checks")
    parser.add_argument("--out", type=Path, default=Path("docs/results/device_check"))
    options = parser.parse_args()
    available = options.device == "cpu" or torch.cuda.is_available()
    rows = [] if available else [Row("everything", "no accelerator", "", "not run")]
    scope = Scope(options.device, options.quick, time.monotonic() + options.seconds)
    write(options.out, rows, options.device)
    for check in CHECKS if available else ():
        rows.extend(rows_of(check, scope))
        write(options.out, rows, options.device)
    print(options.out.with_suffix(".md").read_text(encoding="utf-8"))


def rows_of(check: Check, scope: Scope) -> Iterator[Row]:
    """Yield a check's rows; a check that raises is a row, too."""
    name = f"{check.__module__.rpartition('.')[2]} {check.__name__}".replace("_", " ")
    if scope.left() <= 0:
        yield Row(name, "", "", "not run: no time left")
        return
    try:
        for row in check(scope):
            print(f"{row.what}: {row.found} {row.verdict}", file=sys.stderr, flush=True)
            yield row
    except Exception as error:  # whatever it is, the other checks are to run
        yield Row(name, "", "", f"FAILS: {type(error).__name__}: {str(error)[:200]}")


def write(out: Path, rows: list[Row], device: str) -> None:
    """Write the table, with what it was measured on."""
    named = (
        torch.cuda.get_device_name() if device != "cpu" and torch.cuda.is_available() else platform.machine()
    )
    about = {"device": device, "name": named, "torch": torch.__version__, "python": platform.python_version()}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out.with_suffix(".json"), {**about, "rows": [dataclasses.asdict(row) for row in rows]})
    table = markdown(
        ["check", "found", "expected", "verdict"], [list(dataclasses.astuple(row)) for row in rows]
    )
    head = ", ".join(f"{key} {value}" for key, value in about.items())
    write_text(
        out.with_suffix(".md"), f"# Device check\n\n`python benchmarks/device_check.py`: {head}\n\n{table}\n"
    )


if __name__ == "__main__":
    main()
