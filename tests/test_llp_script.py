"""examples/llp.sh from features and annotation files to the tables, in its shortest form."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rlld_agents.cli import main
from tests.shared_files import shared_path

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "llp.sh"
SHORT = ("--hidden-size", "8", "--parser-epochs", "1", "--seeds", "1", "--rlld-episodes", "1")
VIDEOS = "400"


@pytest.fixture(name="script")
def made_script(tmp_path: Path) -> Callable[..., Path]:
    """Return what runs the script on invented features, and returns the folder of its results."""
    annotations = shared_path("llp/AVVP_train.csv").parent
    features, out = tmp_path / "features", tmp_path / "out"
    words = ["--scale", "tiny", "--annotations", str(annotations), "--limit", VIDEOS, "--out", str(features)]
    assert main(["data", "twin", "--layout", "llp", *words]) == 0
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(SCRIPT), str(annotations), str(features), str(out), *SHORT, "--episode-length", "2"]

    def run(**parts: str) -> Path:
        environment = {**os.environ, "PATH": path, "LIMIT": VIDEOS, "LABELS": "weak", **parts}
        ended = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return out

    return run


def test_from_files_to_both_tables(script: Callable[..., Path]) -> None:
    out = script(ROWS="label_smoothing", SYSTEMS="cpsp")
    assert "| label smoothing (HAN)" in (out / "denoisers" / "results.md").read_text()
    assert "CPSP" in (out / "systems" / "systems.md").read_text()


@pytest.mark.long
def test_tables_grow_row_by_row_and_nothing_is_done_twice(script: Callable[..., Path]) -> None:
    cells = script(ROWS="label_smoothing", SYSTEMS="han") / "denoisers" / "cells"
    first = (cells / "label_smoothing-seed0.json").stat().st_mtime_ns
    out = script(ROWS="label_smoothing rlld", SYSTEMS="han")
    assert (cells / "label_smoothing-seed0.json").stat().st_mtime_ns == first
    table = (out / "denoisers" / "results.md").read_text()
    assert "| label smoothing (HAN)" in table
    assert "| RLLD, reward only" in table
