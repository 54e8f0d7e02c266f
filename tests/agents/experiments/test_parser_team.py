"""Parsers that are trained side by side."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from rlld_agents.cli import main
from rlld_agents.experiments import experiment
from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.experiment import Experiment
from rlld_agents.reinforce.config import PresetReinforceConfig

JOINT = (
    "train",
    "--quick",
    "--rounds",
    "1",
    "--parser-epochs",
    "1",
    "--hidden-size",
    "8",
    "--device",
    "cpu",
)
SETS = ("--label-sets", "weak", "denoised", "oracle", "--parser-seeds", "2")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Let all processes round alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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


@pytest.mark.long
def test_an_interrupted_run_with_two_processes_resumes_to_the_result_of_one(
    alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"

    def interrupt(*_: object) -> None:
        until = time.monotonic() + 60
        while not list((folder / "parsers").glob("*.json")) and time.monotonic() < until:
            time.sleep(0.05)  # the other process is at work
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment.Experiment, "train_parsers", interrupt)
    assert main([*JOINT, *SETS, "--workers", "2", "--profile", "--out", str(folder)]) == 130
    monkeypatch.undo()
    before = {path: path.stat().st_mtime_ns for path in (folder / "parsers").glob("*.json")}
    assert 0 < len(before) <= 4, "those that need no policy"

    assert main(["train", "--resume", str(folder)]) == 0
    assert_equal_runs(alone, folder)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "trained twice"
    assert torch.get_num_threads() == 1
    profile = json.loads((folder / "profile.json").read_text())
    assert profile["workers"] == 2
    assert profile["seconds"]["task training"] > 0


PAPER = {"preset": "paper", "agent": PresetReinforceConfig(episodes=1)}


@pytest.mark.parametrize(
    ("options", "cores", "workers"),
    [
        ({"label_sets": ("denoised",), "parser_seeds": 2}, 16, 1),
        ({"label_sets": ("random", "weak", "denoised"), "parser_seeds": 2}, 16, 3),
        ({"label_sets": ("weak", "oracle"), "parser_seeds": 8}, 4, 4),
        (PAPER, 16, 1),
        (PAPER | {"workers": 3}, 16, 3),
        ({"label_sets": ("denoised",), "parser_seeds": 2, "workers": 16}, 1, 2),
        ({}, None, 1),
    ],
)
def test_cores_are_given_away_to_parsers_that_can_begin_only(
    options: dict[str, Any], cores: int | None, workers: int, tmp_path: Path
) -> None:
    config = ExperimentConfig(data="twin-tiny", device="cpu", **options)
    given = {} if cores is None else {"cores": cores}
    assert Experiment(config, tmp_path, progress=False, **given).workers == workers


def test_the_threads_that_are_used_are_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlld_agents.experiments.parser_team.available_cores", lambda: 4)
    torch.set_num_threads(4)
    used = []

    def interrupt(*_: object) -> None:
        used.append(torch.get_num_threads())
        raise KeyboardInterrupt

    monkeypatch.setattr("rlld_agents.experiments.presets.imitation.ImitationPreset.learn", interrupt)
    options = (
        "--label-sets",
        "weak",
        "--parser-seeds",
        "2",
        "--workers",
        "2",
        "--out",
        str(tmp_path / "run"),
    )
    try:
        assert main([*JOINT, *options]) == 130
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(1)
    assert used == [2]
    assert json.loads((tmp_path / "run" / "config.json").read_text())["data"]["threads"] == 2
