"""What learning from the reward costs beside training one plain parser: whole commands, one after the other.

    python -m benchmarks.preset_cost --out runs/cost                  (on an idle machine, from the checkout's root)

One parser on the weak labels (`rlld train-parser`), the main job (`rlld train`), and `rlld train --preset rlld`,
its pairs of episodes played by one process and side by side. Options behind `--` go to all commands.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlld_agents.reports.results import markdown
from rlld_gym.files import write_text

COMMANDS: dict[str, tuple[str, ...]] = {
    "one parser on the weak labels": ("train-parser",),
    "`rlld train`": ("train", "--no-report"),
    "`rlld train --preset rlld`": ("train", "--no-report", "--preset", "rlld"),
    "`... --rollout-workers 2`": ("train", "--no-report", "--preset", "rlld", "--rollout-workers", "2"),
}


def measure(words: Sequence[str], folder: Path) -> dict[str, Any]:
    """Run a command; return its wall-clock seconds, those of its parts, and the episodes of REINFORCE.

    Args:
        words: of the command, without --out.
        folder: for its files.
    """
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "rlld_agents", *words, "--out", str(folder)], check=True)
    seconds = time.perf_counter() - start
    parts = folder / "seconds.json"
    found = json.loads(parts.read_text()) if parts.is_file() else {}
    log = folder / "metrics.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    learning = found.get("reinforce")
    episodes = rows[-1]["episode"] if rows and learning else None
    return {"seconds": seconds, "learning": learning, "episodes": episodes}


def table(runs: dict[str, dict[str, Any]]) -> str:
    """Return what was measured as a Markdown table."""
    plain = next(iter(runs.values()))["seconds"]
    rows = []
    for name, run in runs.items():
        rate = f"{run['episodes'] / run['learning']:.2f}" if run["episodes"] else ""
        rows.append([name, f"{run['seconds']:.0f}", f"{run['seconds'] / plain:.1f}", rate])
    return markdown(["command", "seconds", "times one parser", "episodes a second"], rows) + "\n"


def main() -> None:
    """Parse the command line, run, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="twin-small")
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("options", nargs="*", help="behind --, options of all commands")
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    runs = {}
    for number, (name, words) in enumerate(COMMANDS.items()):
        command = [*words, "--data", options.data, *options.options]
        runs[name] = measure(command, options.out / str(number))
        write_text(options.out / "cost.md", table(runs))
    print(table(runs))


if __name__ == "__main__":
    main()
