"""Parsers that are trained side by side."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from rlld_agents import experiment
from rlld_agents.cli import main

JOINT = (
    "train",
    "--quick",
    "--rounds",
    "1",
    "--parser-epochs",
    "2",
    "--hidden-size",
    "16",
    "--device",
    "cpu",
)
SETS = ("--label-sets", "weak", "denoised", "oracle", "--parser-seeds", "2")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Let all processes round alike."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run in one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert main([*JOINT, *SETS, "--workers", "1", "--out", str(folder)]) == 0
    return folder


def assert_equal_runs(folder: Path, other: Path) -> None:
    results = [json.loads((path / "result.json").read_text()) for path in (folder, other)]
    assert results[0]["test"] == results[1]["test"]
    assert list(results[0]["test"]) == ["weak", "denoised", "oracle"]
    assert results[0]["removal"] == results[1]["removal"]
    for name in ("policy.safetensors", "task.safetensors"):
        weights = [load_file(path / name) for path in (folder, other)]
        for key, values in weights[0].items():
            np.testing.assert_array_equal(values, weights[1][key])


def test_an_interrupted_run_with_two_processes_resumes_to_the_result_of_one(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment.Experiment, "train_parsers", interrupt)
    assert main([*JOINT, *SETS, "--workers", "2", "--profile", "--out", str(folder)]) == 130
    monkeypatch.undo()
    before = {path: path.stat().st_mtime_ns for path in (folder / "parsers").glob("*.json")}
    assert len(before) < 6

    assert main(["train", "--resume", str(folder)]) == 0
    assert_equal_runs(alone, folder)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "trained twice"
    assert torch.get_num_threads() == 1
    profile = json.loads((folder / "profile.json").read_text())
    assert profile["workers"] == 2
    assert profile["seconds"]["task training"] > 0
