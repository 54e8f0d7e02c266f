import csv
import json
import shlex
from pathlib import Path

import pytest

from rlld_agents.baselines import METHODS as METHODS_BY_NAME
from rlld_agents.cli import main
from rlld_agents.experiments.study.cell import StudyCell
from rlld_agents.experiments.study.config import BenchmarkConfig
from rlld_agents.experiments.study.study import Study
from rlld_agents.labels.files import read_labels
from rlld_gym.data import open_data
from rlld_gym.parsing.metrics import SCORE_COLUMNS
from tests.agents.cli_runs import command_in

METHODS = ["weak", "no_visual_speech", "jomold", "oracle"]
OPTIONS = ["--data", "twin-tiny", "--hidden-size", "16", "--parser-epochs", "1", "--workers", "1"]
PNG = b"\x89PNG"


def benchmark(*words: str) -> int:
    return main(["benchmark", *words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a benchmark of four rows and two seeds."""
    out = tmp_path_factory.mktemp("benchmark") / "run"
    assert benchmark(*OPTIONS, "--methods", *METHODS, "--seeds", "2", "--out", str(out)) == 0
    return out


def lines_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_folder_has_tables_pictures_and_the_command(folder: Path) -> None:
    text, config = (folder / "results.md").read_text(), json.loads((folder / "config.json").read_text())
    assert command_in(text) == shlex.split(config["command"])
    for label in ("weak labels", "no visual Speech", "JoMoLD", "oracle"):
        assert f"| {label}" in text
        assert f"\n{label} & " in (folder / "results.tex").read_text()
    for name in ("scores", "removal"):
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(PNG)


def test_rows_remove_what_they_should(folder: Path) -> None:
    lines = lines_of(folder)
    assert [(line["method"], line["seed"]) for line in lines] == [(m, s) for m in METHODS for s in "01"]
    weak, rule, _, oracle = lines[::2]
    assert (weak["rate_visual"], weak["rate_audio"], weak["precision_visual"]) == ("0", "0", "")
    assert float(rule["rate_visual"]) > 0.2
    assert (rule["rate_audio"], rule["rate_without_speech_visual"], rule["removed_visual_Dog"]) == (
        "0",
        "0",
        "0",
    )
    for modality in ("audio", "visual"):
        assert float(oracle[f"precision_{modality}"]) == float(oracle[f"recall_{modality}"]) == 1
    classes = open_data("twin-tiny").classes
    known = [float(oracle[name]) for label in classes if oracle[name := f"auc_visual_{label}"]]
    assert len(known) > 10, "classes with right and wrong labels"
    assert set(known) == {1.0}
    assert weak["auc_visual_Speech"] == "", "no scores"
    assert all(float(line["seconds"]) >= float(line["removal_seconds"]) for line in lines)


def test_labels_of_every_run_are_kept(folder: Path) -> None:
    train = open_data("twin-tiny").split("train")
    truth = train.truth()
    assert truth is not None
    path = folder / "labels" / "oracle-seed1.csv"
    labels = read_labels(path, open_data("twin-tiny").classes, train.filenames, train.labels)
    assert (labels[0] == (truth[0] & (train.labels > 0))).all()
    assert (labels[1] == (truth[1] & (train.labels > 0))).all()


@pytest.mark.long
def test_resuming_runs_what_is_missing_and_can_add_rows(folder: Path) -> None:
    kept, lost = folder / "cells" / "weak-seed0.json", folder / "cells" / "jomold-seed1.json"
    before, score = kept.stat().st_mtime_ns, json.loads(lost.read_text())["test"]
    lost.unlink()
    assert benchmark("--resume", str(folder), "--methods", "random", *METHODS) == 0
    assert kept.stat().st_mtime_ns == before
    assert json.loads(lost.read_text())["test"] == pytest.approx(score, abs=1e-4)
    assert {line["method"] for line in lines_of(folder)} == {"random", *METHODS}


def test_resuming_refuses_options_that_change_results(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark("--resume", str(folder), "--hidden-size", "8") == 2
    assert "--hidden-size 8: the benchmark was started with 16" in capsys.readouterr().err
    assert benchmark(*OPTIONS, "--out", str(folder)) == 2
    assert f"rlld benchmark --resume {folder}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "nothing"], "--methods nothing: unknown; expected some of weak"),
        (["--seeds", "0"], "--seeds: found 0, expected at least 1"),
        (["--data", "nowhere.h5"], "nowhere.h5"),
        (["--recipe", "unknown"], "unknown"),
    ],
)
def test_bad_options_are_named_before_anything_is_written(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark(*OPTIONS, *words, "--out", str(tmp_path / "run")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_rule_scores_what_train_parser_scores_on_its_labels(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The benchmark's evaluator is that of every other command."""
    labels = folder / "labels" / "no_visual_speech-seed0.csv"
    words = ["--labels", str(labels), "--data", "twin-tiny", "--hidden-size", "16", "--epochs", "1"]
    assert main(["train-parser", *words, "--seeds", "1", "--out", str(tmp_path / "parser")]) == 0
    result = json.loads((folder / "cells" / "no_visual_speech-seed0.json").read_text())
    row = capsys.readouterr().out
    for key, _ in SCORE_COLUMNS[:3]:
        assert f"{result['test'][key]:.1f}" in row


@pytest.mark.long
def test_ablations_are_rows_of_rlld_without_a_part(tmp_path: Path) -> None:
    config = BenchmarkConfig(
        data="twin-tiny", preset="ablation", hidden_size=8, parser_epochs=1, rlld_episodes=1
    )
    assert config.row_names() == ("paper", "paper-no-initialized-labels", "paper-no-soft-inter-reward")
    full, bare, hard = (
        StudyCell(config, name, 0).run(tmp_path, lambda _: None) for name in config.row_names()
    )
    assert full["parameters"] == hard["parameters"] > bare["parameters"], "label inputs are gone"
    for row in (full, bare, hard):
        assert [len(values) for values in row["details"]["curve"].values()] == [1] * 12
        assert row["validation_labels"].startswith("dense")


def test_rows_whose_library_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(METHODS_BY_NAME["cleanlab"], "library", "no_such_library")
    words = ["--methods", "weak", "cleanlab", "--out", "nowhere"]
    assert benchmark(*OPTIONS, *words) == 2
    assert "--methods cleanlab: needs no_such_library; install it" in capsys.readouterr().err
    run = Study(BenchmarkConfig(data="twin-tiny"), Path("nowhere"), progress=False)
    assert "cleanlab" not in run.names
    assert "jomold" in run.names
    assert "the row cleanlab is left out" in capsys.readouterr().err


def test_runs_of_other_commands_are_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("train", "compare"):
        assert main([command, "--resume", str(folder)]) == 2
        message = capsys.readouterr().err
        assert f"is a run of 'rlld benchmark', expected one of 'rlld {command}'" in message
