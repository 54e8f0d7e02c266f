"""The presets "rlld" and "joint" of the main job, from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from rlld_agents.cli import main
from rlld_agents.experiments import experiment
from rlld_agents.experiments.presets.reward_only import warn_if_worse_than_nothing
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.policies.files import load_policy
from rlld_gym.files import write_json

OPTIONS = ("--parser-epochs", "1", "--hidden-size", "8", "--device", "cpu", "--workers", "1")
EPISODES = ("--episodes", "16", "--episode-length", "3", "--label-sets", "denoised", "weak")


def command(preset: str, folder: Path, *options: str) -> list[str]:
    """Return the words of a small run."""
    return ["train", "--quick", "--preset", preset, *OPTIONS, *EPISODES, *options, "--out", str(folder)]


@pytest.fixture(scope="module", params=["rlld", pytest.param("joint", marks=pytest.mark.long)])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Return a preset and the folder of a run with it."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    assert main(command(request.param, folder)) == 0
    return request.param, folder


def test_the_run_leaves_policy_log_and_labels(run: tuple[str, Path]) -> None:
    preset, folder = run
    make = {"rlld": EvidencePolicy, "joint": CombinedPolicy}[preset]
    assert isinstance(load_policy(folder), make)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [row["episode"] for row in rows] == [8, 16]
    result = json.loads((folder / "result.json").read_text())
    assert set(result["test"]) == {"weak", "denoised"}
    assert 0 < result["removal"]["visual"]["precision"] <= 1
    controls = json.loads((folder / "control_returns.json").read_text())
    assert list(controls) == ["keep all", "no visual Speech", "truth"]
    assert (folder / "figures" / "learning.png").stat().st_size > 10_000
    assert ("removal_estimate" in result) == (preset == "joint")


def test_an_interrupted_run_resumes_to_the_same_result(
    run: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preset, whole = run
    folder = tmp_path / "run"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment.Experiment, "train_parsers", interrupt)
    assert main(command(preset, folder)) == 130
    monkeypatch.undo()
    assert main(["train", "--resume", str(folder)]) == 0
    for name, weights in load_file(whole / "policy.safetensors").items():
        np.testing.assert_array_equal(weights, load_file(folder / "policy.safetensors")[name])
    results = [json.loads((path / "result.json").read_text()) for path in (whole, folder)]
    assert results[0]["test"] == results[1]["test"]
    assert results[0]["removal"] == results[1]["removal"]
    assert (whole / "denoised_labels.csv").read_text() == (folder / "denoised_labels.csv").read_text()


def test_the_policy_denoises_without_the_environment(run: tuple[str, Path], tmp_path: Path) -> None:
    _, folder = run
    assert (
        main(["denoise", "--checkpoint", str(folder), "--out", str(tmp_path / "a"), "--device", "cpu"]) == 0
    )
    assert (tmp_path / "a" / "denoised_labels.csv").is_file()


@pytest.mark.long
def test_fewer_dense_videos_and_a_frozen_end(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert main(command("rlld", folder, "--dense-videos", "10", "--final", "frozen")) == 0
    config = json.loads((folder / "config.json").read_text())
    assert config["data"]["videos"]["val"] == 10
    assert (
        main(
            [
                "denoise",
                "--checkpoint",
                str(folder),
                "--data",
                str(folder / "data.h5"),
                "--out",
                str(tmp_path / "a"),
            ]
        )
        == 0
    )
    assert (folder / "denoised_labels.csv").read_text() == (
        tmp_path / "a" / "denoised_labels.csv"
    ).read_text()


@pytest.mark.parametrize(("earned", "warns"), [(6.2, False), (5.9, True)])
def test_a_policy_that_earns_less_than_nothing_is_said(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, earned: float, warns: bool
) -> None:
    write_json(tmp_path / "control_returns.json", {"keep all": 6.0, "truth": 6.5})
    rows = [{"episode": 8, "rollout/ep_rew_mean": 1.0}, {"episode": 16, "rollout/ep_rew_mean": earned}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    warn_if_worse_than_nothing(tmp_path)
    assert [str(one.message)[:52] for one in recwarn] == warns * [
        "the last episodes earned 5.90, keeping all labels 6.00"[:52]
    ]
