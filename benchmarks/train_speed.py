"""`rlld train` of this checkout against an older one: the same data, recipe and seed, whole commands in turns.

    git worktree add /tmp/older COMMIT
    python benchmarks/train_speed.py --baseline /tmp/older

Options that only this checkout knows go to `--own`, options of both behind `--`. Where recipes have changed since,
put the older files that are to be compared into a copy of this checkout, so that both do the same work.

Wall-clock times mean something on an idle machine only, so processor times are given beside them: of the command's
own process and of those that it starts. With `--threads 1` and as many cores as processes, a command takes about as
long as the longest of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlld_agents.reports.results import markdown

RUN = """
import json, resource, sys
from pathlib import Path
from rlld_agents.cli import main
status = main(sys.argv[2:])
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
Path(sys.argv[1]).write_text(json.dumps([part.ru_utime + part.ru_stime for part in used]))
sys.exit(status)
"""
"""Runs the command and writes processor times of its process and of those that it started."""


@dataclass(frozen=True)
class Run:
    """What a command took and found."""

    wall: float
    processor: tuple[float, float]
    result: dict[str, Any]

    def seconds(self) -> dict[str, float]:
        """Return everything that was timed."""
        own, others = self.processor
        times = {"wall clock": self.wall, "processor, own process": own, "processor, other processes": others}
        return {**times, **{f"wall clock, {name}": value for name, value in self.result["seconds"].items()}}


def run(checkout: Path, options: list[str], folder: Path, threads: int | None) -> Run:
    """Train with the code of a checkout, in a process of its own that sees no other code."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    for package, place in (("rlld_gym", "rlld_gym"), ("rlld_agents", "agents")):
        (packages / package).symlink_to(checkout.resolve() / place)
    environment = {**os.environ, "PYTHONPATH": str(packages), "OMP_WAIT_POLICY": "PASSIVE"}
    environment.pop("OMP_NUM_THREADS", None)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    out, times = folder.resolve() / "run", folder.resolve() / "times.json"
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", RUN, str(times), "train", *options, "--out", str(out)],
        check=True,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - start
    own, others = json.loads(times.read_text(encoding="utf-8"))
    return Run(wall, (own, others), json.loads((out / "result.json").read_text(encoding="utf-8")))


def largest_difference(first: dict[str, Any], second: dict[str, Any]) -> float:
    """Return the largest difference of two runs' test scores, in points."""
    tests: tuple[dict[str, dict[str, float]], ...] = (first["test"], second["test"])
    return max(abs(tests[0][row][name] - tests[1][row][name]) for row in tests[0] for name in tests[0][row])


def main() -> None:
    """Run both in turns and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--baseline", type=Path, required=True, help="the older checkout")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, help="of the command's own process; default: one for each core"
    )
    parser.add_argument("--keep", type=Path, help="folder to leave the runs in")
    parser.add_argument("--own", default="", help="options of this checkout only, as one word")
    parser.add_argument("options", nargs="*", default=[], help="options of rlld train, behind --")
    options = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    sides = {"baseline": (options.baseline, []), "now": (here, options.own.split())}
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    with nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory() as folder:
        for turn in range(options.turns):
            for name, (checkout, own) in sides.items():
                done = run(
                    checkout, [*options.options, *own], Path(folder) / f"{name}{turn}", options.threads
                )
                runs[name].append(done)
                print(name, {key: round(value, 1) for key, value in done.seconds().items()}, file=sys.stderr)
    medians = [
        {
            key: statistics.median(done.seconds()[key] for done in runs[name])
            for key in runs[name][0].seconds()
        }
        for name in sides
    ]
    rows = [
        [key, f"{older:.1f}", f"{medians[1][key]:.1f}", f"{older / medians[1][key]:.2f}" if older else "-"]
        for key, older in medians[0].items()
    ]
    print(markdown(["median seconds", *sides, "baseline / now"], rows))
    points = largest_difference(runs["baseline"][0].result, runs["now"][0].result)
    print(f"\nLargest difference of a test score: {points:.2f} points")


if __name__ == "__main__":
    main()
