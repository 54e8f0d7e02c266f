"""The preset "imitation" of the main job, from the command line."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from rlld_agents import PolicyEnsemble
from rlld_agents.cli import main
from rlld_agents.experiments.config import ExperimentConfig
from rlld_agents.experiments.experiment import Experiment
from rlld_agents.experiments.presets import imitation as presets
from rlld_agents.imitation.joint import JointConfig, JointRound
from rlld_agents.policies.files import load_policy
from rlld_agents.runs.folder import read_config
from rlld_gym import data

OPTIONS = ("--parser-epochs", "2", "--hidden-size", "16", "--device", "cpu", "--workers", "1")
IMITATION = ("train", "--quick", "--preset", "imitation", *OPTIONS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run."""
    folder = tmp_path_factory.mktemp("imitation") / "run"
    assert main([*IMITATION, "--out", str(folder)]) == 0
    return folder


def test_imitation_finds_noise(run: Path) -> None:
    """Better than the rule "no visual Speech", whose area is .79 by construction of the twin."""
    assert read_config(run)["experiment"]["preset"] == "imitation"
    removal = json.loads((run / "result.json").read_text())["removal"]["visual"]
    assert removal["auc"] > 0.85
    assert removal["precision"] > 0.7


def test_scores_on_videos_that_the_policy_learned_from_are_said_to_be(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def printed(checkpoint: Path, *words: str) -> str:
        capsys.readouterr()
        assert main(["evaluate", "--checkpoint", str(checkpoint), *words]) == 0
        return capsys.readouterr().out

    learned = "learned from the dense labels of these videos: results.md of its run estimates"
    assert learned in printed(run, "--split", "val")
    assert learned in printed(run / "policy.safetensors", "--split", "val")
    assert "learned from" not in printed(run, "--split", "test")
    assert "learned from" not in printed(run, "--split", "val", "--seed", "1"), "other videos"


def test_a_row_is_logged_for_every_round(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    config = JointConfig()
    assert [row["episode"] for row in rows] == list(range(1, config.rounds + 1))
    assert [row["time/total_timesteps"] for row in rows] == [25, 50], (
        "an epoch of the parser, 8 of each of 3 policies"
    )
    for row in rows:
        assert 0.5 < row["estimate/quality"] < 1
        assert 1 <= row["estimate/epochs"] <= 8
        assert 0.5 < row["estimate/visual_auc_without_speech"] < 1
        assert 0 < row["removed/visual"] < 1
        assert 0 <= row["validation/segment_visual"] <= 100
    names = {path.name for path in (run / "figures").iterdir()}
    assert names == {"scores.png", "removal.png"}


def test_the_estimate_is_reported_beside_the_truth(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    estimate = result["removal_estimate"]
    for measure in ("precision", "recall", "auc"):
        assert estimate["visual"][measure] == pytest.approx(result["removal"]["visual"][measure], abs=0.15)
    tables = (run / "results.md").read_text()
    assert f"estimated by cross-validation on the {estimate['videos']} validation videos" in tables
    assert f"{estimate['visual']['auc_without_speech']:.3f} |" in tables
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert estimate["quality"] == max(row["estimate/quality"] for row in rows)
    assert rows[estimate["round"] - 1]["estimate/quality"] == estimate["quality"]


def test_the_ensemble_is_used_wherever_a_policy_is(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(load_policy(run), PolicyEnsemble)
    assert main(["denoise", "--checkpoint", str(run), "--out", str(tmp_path), "--device", "cpu"]) == 0
    assert (tmp_path / "denoised_labels.csv").read_text() == (run / "denoised_labels.csv").read_text()
    scores = tmp_path / "scores.json"
    command = ["evaluate", "--checkpoint", str(run / "policy.safetensors"), "--split", "train"]
    assert main([*command, "--out", str(scores), "--device", "cpu"]) == 0
    capsys.readouterr()
    assert (
        json.loads(scores.read_text())["removal"] == json.loads((run / "result.json").read_text())["removal"]
    )


@pytest.mark.long
def test_an_interrupted_run_resumes_to_the_same_result(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = presets.joint_rounds

    def interrupted(*arguments: Any, **options: Any) -> Iterator[JointRound]:
        yield next(iter(real(*arguments, **options)))
        raise KeyboardInterrupt

    folder = tmp_path / "run"
    monkeypatch.setattr(presets, "joint_rounds", interrupted)
    assert main([*IMITATION, "--out", str(folder)]) == 130
    assert f"rlld train --resume {folder}" in capsys.readouterr().err
    assert not (folder / "policy.safetensors").exists()
    monkeypatch.setattr(presets, "joint_rounds", real)
    assert main(["train", "--resume", str(folder)]) == 0
    for name, weights in load_file(run / "policy.safetensors").items():
        np.testing.assert_array_equal(weights, load_file(folder / "policy.safetensors")[name])
    results = [json.loads((path / "result.json").read_text()) for path in (run, folder)]
    for name in ("test", "removal", "removal_estimate"):
        assert results[0][name] == results[1][name]
    assert (folder / "metrics.jsonl").read_text() == (run / "metrics.jsonl").read_text()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the policy is there already")

    monkeypatch.setattr(presets, "joint_rounds", never)
    (folder / "result.json").unlink()
    assert main(["train", "--resume", str(folder)]) == 0
    assert (
        json.loads((folder / "result.json").read_text())["removal_estimate"] == results[0]["removal_estimate"]
    )


def test_options_that_shape_the_policy_cannot_change(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", str(run), "--preset", "paper"]) == 2
    assert "--preset paper: the run was started with imitation" in capsys.readouterr().err
    assert main(["train", "--resume", str(run), "--rounds", "3"]) == 2
    assert "--rounds 3: the run was started with 2" in capsys.readouterr().err


def test_data_without_dense_validation_labels_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = data.twin("tiny", seed=0)
    splits = {name: twin.split(name) for name in ("train", "val", "test")}
    splits["val"] = dataclasses.replace(splits["val"], dense_audio=None, dense_visual=None)
    data.FeatureStore(
        splits,
        classes=twin.classes,
        visual_2d_size=twin.visual_2d_size,
        attributes=dict(twin.attributes),
        name="mine",
    ).save(tmp_path / "mine.h5")
    assert main([*IMITATION, "--data", str(tmp_path / "mine.h5"), "--out", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    assert "have no dense labels to learn from" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--preset", "imitation", "--overlap", "0.5"],
            "--overlap 0.5: the preset imitation does not use it",
        ),
        (["--preset", "imitation", "--episodes", "30"], "use --preset rlld, joint, paper"),
        (["--initial-removal", "0.3"], "use --preset paper"),
        (
            ["--preset", "rlld", "--learning-rate", "0.3"],
            "--learning-rate 0.3: the preset rlld does not use it",
        ),
        (["--preset", "rlld", "--dense-videos", "1"], "--dense-videos: found 1, expected at least 2"),
        (["--preset", "paper", "--rounds", "3"], "--rounds 3: the preset paper does not use it"),
    ],
)
def test_options_that_would_be_ignored_are_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--quick", *words, "--out", str(tmp_path / "run")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_credit_goes_on_with_the_policy_of_each_round(run: Path, tmp_path: Path) -> None:
    """The first round's estimate is imitation's, as it was; the policy is another one."""
    folder = tmp_path / "run"
    assert main([*IMITATION, "--credit-episodes", "1", "--label-sets", "denoised", "--out", str(folder)]) == 0
    mine, others = (
        [json.loads(line) for line in (each / "metrics.jsonl").read_text().splitlines()]
        for each in (folder, run)
    )
    assert mine[0]["estimate/quality"] == others[0]["estimate/quality"]
    reinforced, imitated = (load_file(each / "policy.safetensors") for each in (folder, run))
    assert reinforced.keys() == imitated.keys()
    assert any((reinforced[name] != imitated[name]).any() for name in imitated)


def test_credit_is_refused_without_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--preset", "paper", "--credit-episodes", "3"]) == 2
    assert "--credit-episodes 3: the preset paper does not use it" in capsys.readouterr().err


def test_a_run_that_imitates_keeps_its_threshold(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its rounds and its estimate are of that threshold; `rlld denoise` takes another one."""
    before = (run / "results.md").read_text()
    assert main(["train", "--resume", str(run), "--threshold", "0.3"]) == 2
    assert "--threshold 0.3: the run was started with 0.5" in capsys.readouterr().err
    assert (run / "results.md").read_text() == before


@pytest.mark.parametrize(
    ("kept", "found", "preset"),
    [
        (None, 649, "imitation"),
        (50, 649, "joint"),
        (400, 649, "imitation"),
        (400, 60, "joint"),
        (None, 0, "imitation"),
    ],
)
def test_rewards_are_added_where_dense_labels_are_few(kept: int | None, found: int, preset: str) -> None:
    config = ExperimentConfig(dense_videos=kept)
    assert config.with_preset(1600, found).preset == preset
    assert dataclasses.replace(config, preset="paper").with_preset(1600, found).preset == "paper"
    assert config.with_preset(100, found).preset == "imitation", "an episode needs more training videos"


def test_the_preset_is_known_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ExperimentConfig(data="twin-tiny", dense_videos=20)
    assert Experiment(config, tmp_path / "run").config.preset == "joint"
    words = [
        "train",
        "--quick",
        "--dense-videos",
        "20",
        "--initial-removal",
        ".3",
        "--out",
        str(tmp_path / "run"),
    ]
    assert main(words) == 2
    assert "the preset joint does not use it" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
