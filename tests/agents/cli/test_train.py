import csv
import dataclasses
import inspect
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from rlld_agents.cli import main
from rlld_agents.labels.files import read_labels
from rlld_gym import data
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.agents.cli_runs import SMALL, command_in, small_run

LABEL_SETS = {"weak", "no_visual_speech", "denoised", "oracle"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("runs") / "small")


def test_the_run_folder_holds_all_that_was_promised(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    assert set(result) == {"test", "removal", "seconds", "data", "networks", "checksum"}
    assert set(result["test"]) == LABEL_SETS
    for row in result["test"].values():
        assert set(row) == set(SCORE_NAMES)
        assert all(0 <= value <= 100 for value in row.values())
    assert set(result["removal"]) == {"audio", "visual"}
    for row in result["removal"].values():
        assert set(row) == {"precision", "recall", "auc"}
        assert row["auc"] is not None
    parts = [value for name, value in result["seconds"].items() if name != "total"]
    assert result["seconds"]["total"] == pytest.approx(sum(parts), abs=0.01)

    config = json.loads((run / "config.json").read_text())
    assert config["command"].startswith("rlld train --data twin-tiny ")
    assert " --preset paper " in config["command"]
    assert " --parser-epochs 1 " in config["command"]
    assert config["command"].endswith(f"--out {run}")
    assert config["experiment"]["agent"]["episodes"] == 2
    assert config["versions"]["torch"]

    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["episode"] for row in rows] == [1, 2]
    for name in ("convergence", "scores", "removal"):
        assert (run / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "| denoised " in (run / "results.md").read_text()
    assert command_in((run / "results.md").read_text()) == shlex.split(config["command"])
    assert load_file(run / "policy.safetensors")
    assert load_file(run / "task.safetensors")
    assert not list(run.rglob("*.partial"))


def test_options_of_the_environment_have_its_own_defaults() -> None:
    parameters = inspect.signature(LabelDenoisingEnv).parameters
    for name, value in dataclasses.asdict(EnvironmentOptions()).items():
        assert value == parameters[name].default, name


def test_labels_and_counts_agree(run: Path) -> None:
    store = data.twin("tiny", seed=0)
    train = store.split("train")
    audio, visual = read_labels(run / "denoised_labels.csv", store.classes, train.filenames, train.labels)
    with open(run / "removal_per_class.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == list(store.classes)
    assert [int(row["audio_removed"]) for row in rows] == (train.labels & ~audio).sum(0).tolist()
    assert [int(row["visual_removed"]) for row in rows] == (train.labels & ~visual).sum(0).tolist()
    truth = train.truth()
    assert truth is not None
    assert [int(row["visual_noisy"]) for row in rows] == (train.labels & ~truth[1]).sum(0).tolist()


@pytest.mark.long
def test_the_command_in_the_config_makes_the_run_anew(run: Path, tmp_path: Path) -> None:
    words = json.loads((run / "config.json").read_text())["command"].split()
    assert main([*words[1:-1], str(tmp_path / "again")]) == 0
    first, again = (load_file(folder / "policy.safetensors") for folder in (run, tmp_path / "again"))
    for name, weights in first.items():
        np.testing.assert_array_equal(weights, again[name])
    scores = [
        json.loads((folder / "result.json").read_text())["test"] for folder in (run, tmp_path / "again")
    ]
    assert scores[0] == scores[1]


@pytest.mark.long
def test_a_policy_that_removes_nothing_is_a_warning_in_the_tables(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", "--threshold", "0.999", "--pickle-for-ma")
    assert (run / "need_to_change.pkl").is_file()
    number = int(data.open_data("twin-tiny").split("train").labels.sum())
    said = f"Warning: the policy removed 0 of {number} audio labels and 0 of {number} visual labels: the labels are"
    assert said in (run / "results.md").read_text()


def test_data_without_truth_have_no_oracle_and_no_precision(tmp_path: Path) -> None:
    twin = data.twin("tiny", seed=0)
    splits = {name: twin.split(name) for name in ("train", "val", "test")}
    splits["train"] = dataclasses.replace(splits["train"], dense_audio=None, dense_visual=None)
    store = data.FeatureStore(
        splits,
        classes=("Talk", *twin.classes[1:]),
        visual_2d_size=twin.visual_2d_size,
        attributes={"hidden_size": 8, "recipe": "compact"},
        name="mine",
    )
    store.save(tmp_path / "mine.h5")
    folder = small_run(tmp_path / "run", "--data", str(tmp_path / "mine.h5"), "--parser-seeds", "2")
    result = json.loads((folder / "result.json").read_text())
    assert set(result["test"]) == {"weak", "denoised"}
    assert result["removal"]["visual"] == {"precision": None, "recall": None, "auc": None}
    parts = [json.loads((folder / "parsers" / f"weak-seed{seed}.json").read_text()) for seed in (0, 1)]
    mean = (parts[0]["test"]["event_audio"] + parts[1]["test"]["event_audio"]) / 2
    assert result["test"]["weak"]["event_audio"] == pytest.approx(mean)
    assert "Standard deviation over the parsers" in (folder / "results.md").read_text()


@pytest.mark.long
def test_options_of_credit_reach_environment_and_agent(tmp_path: Path) -> None:
    words = "--reward credit --advantage label --baseline optimal --update-every 1 --kl-coefficient 0.2"
    more = "--warm-up-steps 1 --gradient-diagnostics --label-sets denoised --credit-videos 64"
    folder = small_run(tmp_path / "run", *words.split(), *more.split(), "--learning-rate", "0.01")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    for row in rows:
        assert row["train/kl"] >= 0
        assert -1 <= row["train/gradient_cosine"] <= 1
    command = json.loads((folder / "config.json").read_text())["command"]
    for option in ("--reward credit", "--advantage label", "--update-every 1", "--gradient-diagnostics"):
        assert option in command


def test_a_folder_with_a_run_is_not_overwritten(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--quick", "--out", str(run)]) == 2
    assert "holds a finished run" in capsys.readouterr().err
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["train", "--quick", "--out", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.long
def test_resume_trains_what_is_missing_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = small_run(tmp_path / "whole", "--episodes", "4")
    folder = tmp_path / "parts"

    from rlld_agents.experiments import parser_team  # noqa: PLC0415

    real = parser_team.run_parser_job
    trained: list[str] = []

    def interrupted(job: parser_team.ParserJob, *rest: object) -> dict[str, float]:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(job.label_set)
        return real(job, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(parser_team, "run_parser_job", interrupted)
    assert main(["train", *SMALL, "--device", "cpu", "--out", str(folder)]) == 130
    assert f"go on with: rlld train --resume {folder}" in capsys.readouterr().err
    assert trained == ["weak", "no_visual_speech"]
    monkeypatch.setattr(parser_team, "run_parser_job", real)

    assert main(["train", *SMALL, "--out", str(folder)]) == 2
    assert f"rlld train --resume {folder}" in capsys.readouterr().err

    before = (folder / "parsers" / "weak-seed0.json").stat().st_mtime_ns
    assert main(["train", "--resume", str(folder), "--episodes", "4"]) == 0
    assert (folder / "parsers" / "weak-seed0.json").stat().st_mtime_ns == before
    assert "--episodes 4" in json.loads((folder / "config.json").read_text())["command"]
    for name, weights in load_file(whole / "policy.safetensors").items():
        np.testing.assert_array_equal(weights, load_file(folder / "policy.safetensors")[name])
    results = [json.loads((path / "result.json").read_text()) for path in (whole, folder)]
    assert results[0]["test"] == results[1]["test"]
    assert results[0]["removal"] == results[1]["removal"]

    assert main(["train", "--resume", str(folder), "--learning-rate", "0.5"]) == 2
    assert "--learning-rate 0.5: the run was started with 0.0001" in capsys.readouterr().err


def test_evaluate_scores_parser_and_policy(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.json"
    assert main(["evaluate", "--checkpoint", str(run), "--out", str(out)]) == 0
    scores = json.loads(out.read_text())
    result = json.loads((run / "result.json").read_text())
    assert scores["scores"] == pytest.approx(result["test"]["denoised"])
    assert "F-scores (%)" in capsys.readouterr().out

    task = str(run / "task.safetensors")
    assert main(["evaluate", "--checkpoint", task, "--data", "twin-tiny", "--split", "val"]) == 0
    assert "on the val split of twin-tiny" in capsys.readouterr().out

    policy = str(run / "policy.safetensors")
    assert main(["evaluate", "--checkpoint", policy, "--split", "val"]) == 0
    assert "learned from" not in capsys.readouterr().out, "the preset paper shows it no dense label"
    assert main(["evaluate", "--checkpoint", policy, "--split", "train", "--out", str(out)]) == 0
    removal = json.loads(out.read_text())["removal"]
    for modality, row in result["removal"].items():
        assert removal[modality] == pytest.approx(row)


def test_denoise_writes_the_run_s_labels_and_the_pair(run: Path, tmp_path: Path) -> None:
    assert main(["denoise", "--checkpoint", str(run), "--out", str(tmp_path / "labels")]) == 0
    assert (tmp_path / "labels" / "denoised_labels.csv").read_bytes() == (
        run / "denoised_labels.csv"
    ).read_bytes()
    assert {path.name for path in (tmp_path / "labels").iterdir()} == {
        "denoised_labels.csv",
        "AVVP_train_audio.csv",
        "AVVP_train_visual.csv",
        "noise_ratios.npz",
        "removal_per_class.csv",
        "removed_rows.tsv",
        "denoised_labels.csv.about.json",
        "removed_rows.tsv.about.json",
    }
    counts = (tmp_path / "labels" / "removal_per_class.csv").read_text()
    assert counts == (run / "removal_per_class.csv").read_text()
    options = ["--data", "twin-tiny", "--seed", "1", "--threshold", "0.2"]
    assert main(["denoise", "--checkpoint", str(run), *options, "--out", str(tmp_path / "other")]) == 0
    other = data.twin("tiny", seed=1)
    train = other.split("train")
    path = tmp_path / "other" / "denoised_labels.csv"
    audio, visual = read_labels(path, other.classes, train.filenames, train.labels)
    assert 0 < audio.sum() + visual.sum() < 2 * train.labels.sum()


def test_a_run_s_own_threshold_and_empty_rule_are_used_again(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    config = json.loads((run / "config.json").read_text())
    del config["checksum"]  # of a file that nobody has changed
    config["experiment"]["threshold"] = 0.2
    config["experiment"]["environment"]["empty_rule"] = "modality"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "policy.safetensors").write_bytes((run / "policy.safetensors").read_bytes())

    def outcome(checkpoint: Path, *options: str) -> tuple[str, dict[str, object]]:
        words = ["--checkpoint", str(checkpoint), *options]
        shutil.rmtree(tmp_path / "labels", ignore_errors=True)
        assert main(["denoise", *words, "--out", str(tmp_path / "labels")]) == 0
        assert main(["evaluate", *words, "--split", "train", "--out", str(tmp_path / "scores.json")]) == 0
        labels = (tmp_path / "labels" / "denoised_labels.csv").read_text()
        return labels, json.loads((tmp_path / "scores.json").read_text())["removal"]

    policy = run / "policy.safetensors"
    asked = outcome(policy, "--threshold", "0.2", "--empty-rule", "modality")
    assert outcome(folder) == asked
    assert outcome(folder, "--empty-rule", "video") == outcome(policy, "--threshold", "0.2")
    assert outcome(folder, "--empty-rule", "video") != asked


def test_help_is_quick_and_imports_no_torch() -> None:
    code = (
        "import sys; from rlld_agents.cli import main; status = main(['--help']); "
        "sys.exit(status or 'torch' in sys.modules or 'tyro' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
