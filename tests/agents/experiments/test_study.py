"""Rows of all kinds in one study: agents, methods, controls, and code from outside."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from rlld_agents.baselines.rows import ROWS, Row, vary
from rlld_agents.cli import main
from rlld_agents.experiments.study import config as config_module
from rlld_agents.experiments.study.cell import StudyCell
from rlld_agents.experiments.study.config import BenchmarkConfig, CompareConfig
from rlld_agents.labels.files import read_labels
from rlld_gym.data import open_data
from rlld_gym.envs.options import EnvironmentOptions

OWN = "tests.agents.experiments.own_denoisers:DropLast"
AGENT = "tests.agents.experiments.own_agents:RemoveFirst"
SMALL = ["--data", "twin-tiny", "--hidden-size", "8", "--parser-epochs", "1", "--seeds", "1"]
SMALL += ["--workers", "1"]
STEPS = ["--steps", "2", "--batch-size", "24", "--episode-length", "2"]
CONFIG = BenchmarkConfig(data="twin-tiny", hidden_size=8, parser_epochs=1)


def use_rows(monkeypatch: pytest.MonkeyPatch, rows: dict[str, Row]) -> None:
    monkeypatch.setattr(config_module, "known_rows", lambda first=None: {**ROWS, **rows})


@pytest.mark.long
@pytest.mark.parametrize("command", ["benchmark", "compare"])
def test_both_commands_take_rows_of_all_kinds(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    rows = ["--agents", "--agent", AGENT, "--methods", OWN, "--controls", "oracle"]
    assert main([command, *SMALL, *STEPS, *rows, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert [shown.index(f"| {name}") for name in (AGENT, OWN, "oracle")] == sorted(
        shown.index(f"| {name}") for name in (AGENT, OWN, "oracle")
    )
    train, classes = open_data("twin-tiny").split("train"), open_data("twin-tiny").classes
    path = out / "labels" / f"{OWN.replace(':', '.')}-seed0.csv"
    _, visual = read_labels(path, classes, train.filenames, train.labels)
    assert not visual[:, -1].any()
    np.testing.assert_array_equal(visual[:, :-1], train.labels[:, :-1])
    cell = json.loads((out / "cells" / f"{AGENT.replace(':', '.')}-seed0.json").read_text())
    assert [episode["steps"] for episode in cell["curve"]] == [2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--methods", "nowhere:X"], "--methods nowhere:X: there is no module 'nowhere'"),
        (["--methods", OWN.replace("DropLast", "NoDenoiser")], "has no method denoise"),
        (["--agent", OWN], "has no method learn and no act"),
        (["--agents", "reinforce", "--steps", "1"], "--agents reinforce: steps is 1, expected at least one"),
    ],
)
@pytest.mark.parametrize("command", ["benchmark", "compare"])
def test_what_cannot_be_a_row_is_told_in_a_line(
    command: str, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, *SMALL, "--methods", "weak", *words, "--out", "left-behind"]) == 2
    assert message in capsys.readouterr().err
    assert not Path("left-behind").exists()


def test_a_denoiser_from_outside_writes_label_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", "twin-tiny", "--out", str(tmp_path)]
    assert main(["denoise", "--with", "nowhere:X", *words]) == 2
    assert "nowhere:X: there is no module 'nowhere'" in capsys.readouterr().err
    assert main(["denoise", "--with", OWN, *words]) == 0
    train, classes = open_data("twin-tiny").split("train"), open_data("twin-tiny").classes
    _, visual = read_labels(tmp_path / "denoised_labels.csv", classes, train.filenames, train.labels)
    assert not visual[:, -1].any()


def test_a_row_may_have_its_own_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smoothed targets are the same, whether the row's recipe has them or the method trains with them."""
    use_rows(monkeypatch, {"smoothed": Row("smoothed", "weak", recipe={"visual_confidence": 0.9})})
    smoothed, weak, han = (
        StudyCell(CONFIG, name, 0).run(tmp_path, lambda _: None)
        for name in ("smoothed", "weak", "label_smoothing")
    )
    assert smoothed["test"] == pytest.approx(han["test"], abs=1e-4)
    assert smoothed["test"] != weak["test"]


def test_a_row_may_have_its_own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = vary({"weak": ROWS["weak"]}, "dense_videos", (8, 16))
    assert list(rows) == ["weak@dense_videos=8", "weak@dense_videos=16"]
    use_rows(monkeypatch, rows)
    results = [StudyCell(CONFIG, name, 0).run(tmp_path, lambda _: None) for name in (*rows, "weak")]
    assert len({result["validation"]["segment_audio"] for result in results}) == 3
    videos = [len(open_data(str(tmp_path / "data" / f"{n}-seed0.h5")).split("val")) for n in (8, 16)]
    assert videos == [8, 16]
    study = dataclasses.replace(CONFIG, dense_videos=8)
    assert StudyCell(study, "weak", 0).run(tmp_path, lambda _: None)["validation"] == results[0]["validation"]


def test_names_of_controls_mean_what_each_command_says() -> None:
    random = [config().row("random") for config in (BenchmarkConfig, CompareConfig)]
    assert [row.options.get("number") for row in random] == [None, "truth"]
    for names in (("weak", "keep-all"), ("no_visual_speech", "no-visual-speech")):
        assert len({BenchmarkConfig().row(name).method for name in names}) == 1
    both = BenchmarkConfig(methods=("weak", "oracle"), controls=("oracle",), agents=("ppo",))
    assert both.row_names() == ("ppo", "weak", "oracle"), "each once"


def test_options_of_the_environment_reach_rlld(tmp_path: Path) -> None:
    unpaid = EnvironmentOptions(batch_size=24, episode_length=2, inter_weights=(0.0, 0.0), terminal_scale=0.0)
    config = dataclasses.replace(CONFIG, rlld_episodes=1, environment=unpaid)
    result = StudyCell(config, "paper", 0).run(tmp_path, lambda _: None)
    assert result["details"]["curve"]["return"] == [0.0]
