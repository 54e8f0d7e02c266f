"""`rlld train` of this checkout against an older one: the same data, recipe and seed, whole commands in turns.

    git worktree add /tmp/older COMMIT
    python benchmarks/train_speed.py --baseline /tmp/older

Options that only this checkout knows go to `--own`, options of both behind `--`. Where recipes have changed since,
put the older files that are to be compared into a copy of this checkout, so that both do the same work.

Wall-clock times mean something on an idle machine only; processor time is given beside them, of all processes of a
command together, together with the share of a core that the command got.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlld_agents.results import markdown

RUN = "import sys; from rlld_agents.cli import main; sys.exit(main(sys.argv[1:]))"


@dataclass(frozen=True)
class Run:
    """What a command took and found."""

    wall: float
    processor: float
    result: dict[str, Any]


def run(checkout: Path, options: list[str], folder: Path) -> Run:
    """Train with the code of a checkout, in a process of its own that sees no other code."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for package, place in (("rlld_gym", "rlld_gym"), ("rlld_agents", "agents")):
        (packages / package).symlink_to(checkout.resolve() / place)
    environment = {**os.environ, "PYTHONPATH": str(packages), "OMP_WAIT_POLICY": "PASSIVE"}
    environment.pop("OMP_NUM_THREADS", None)
    out = folder / "run"
    before, start = _processor_seconds(), time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", RUN, "train", *options, "--out", str(out)],
        check=True,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - start, _processor_seconds() - before
    return Run(*seconds, json.loads((out / "result.json").read_text(encoding="utf-8")))


def _processor_seconds() -> float:
    """Return what ended children, and theirs, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def largest_difference(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return the largest difference of two runs' test scores, in points."""
    tests = first["test"], second["test"]
    return max(abs(tests[0][row][name] - tests[1][row][name]) for row in tests[0] for name in tests[0][row])


def main() -> None:
    """Run both in turns and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--baseline", type=Path, required=True, help="the older checkout")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--own", default="", help="options of this checkout only, as one word")
    parser.add_argument("options", nargs="*", default=[], help="options of rlld train, behind --")
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    sides = {"baseline": (options.baseline, []), "now": (here, options.own.split())}
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.turns):
            for name, (checkout, own) in sides.items():
                done = run(checkout, [*options.options, *own], Path(folder) / f"{name}{turn}")
                runs[name].append(done)
                print(
                    f"{name}: {done.wall:.1f} s, processor {done.processor:.1f} s, "
                    f"{done.processor / done.wall:.2f} cores",
                    file=sys.stderr,
                )
    median = {
        name: {
            "seconds": statistics.median(run.wall for run in of_side),
            "processor": statistics.median(run.processor for run in of_side),
            **{
                stage: statistics.median(run.result["seconds"][stage] for run in of_side)
                for stage in of_side[0].result["seconds"]
            },
        }
        for name, of_side in runs.items()
    }
    rows = [
        [key, *(f"{median[name][key]:.1f}" for name in sides), f"{value / median['now'][key]:.2f}"]
        for key, value in median["baseline"].items()
        if key in median["now"]
    ]
    print(markdown(["median seconds", *sides, "baseline / now"], rows))
    points = largest_difference(runs["baseline"][0].result, runs["now"][0].result)
    print(f"\nLargest difference of a test score: {points:.2f} points")


if __name__ == "__main__":
    main()
