"""examples/llp.sh from features and annotation files to the tables, in its shortest form."""

import os
import subprocess
import sys
from pathlib import Path

from rlld_agents.cli import main
from tests.shared_files import shared_path

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "llp.sh"
SHORT = ("--hidden-size", "8", "--parser-epochs", "1", "--seeds", "1", "--rlld-episodes", "1")
VIDEOS = "400"


def run(command: list[str], environment: dict[str, str]) -> None:
    ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_tables_grow_row_by_row_and_nothing_is_done_twice(tmp_path: Path) -> None:
    annotations = shared_path("llp/AVVP_train.csv").parent
    features, out = tmp_path / "features", tmp_path / "out"
    words = ["--scale", "tiny", "--annotations", str(annotations), "--limit", VIDEOS, "--out", str(features)]
    assert main(["data", "twin", "--layout", "llp", *words]) == 0
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    parts = {"LIMIT": VIDEOS, "ROWS": "label_smoothing", "SYSTEMS": "cpsp", "LABELS": "weak"}
    environment = {**os.environ, "PATH": path, **parts}
    command = [str(SCRIPT), str(annotations), str(features), str(out), *SHORT, "--episode-length", "2"]
    run(command, environment)
    first = (out / "denoisers" / "cells" / "label_smoothing-seed0.json").stat().st_mtime_ns
    run(command, {**environment, "ROWS": "label_smoothing rlld"})
    assert (out / "denoisers" / "cells" / "label_smoothing-seed0.json").stat().st_mtime_ns == first
    table = (out / "denoisers" / "results.md").read_text()
    assert "| label smoothing (HAN)" in table
    assert "| RLLD, reward only" in table
    assert "CPSP" in (out / "systems" / "systems.md").read_text()
