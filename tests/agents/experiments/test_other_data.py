"""Benchmark and comparison on data that are not LLP's: 20 segments, 7 classes of their own, other feature sizes."""

import csv
from pathlib import Path

import pytest

from rlld_agents.cli import main
from tests.data.own_data import own_options

SHORT = ["--quick", "--subset", "1", "--batch-size", "8", "--episode-length", "2", "--parser-epochs", "1"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "rows"),
    [
        ("benchmark", ["weak", "no_visual_speech", "jomold", "oracle"]),
        ("compare", ["reinforce", "ppo", "keep-all", "random", "no-visual-speech", "oracle"]),
    ],
)
def test_the_quick_forms_run_and_say_which_class_the_rule_is_about(
    command: str,
    rows: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("stable_baselines3")
    monkeypatch.setenv("SB3_LOGDIR", str(tmp_path / "log"))
    data, out = own_options(tmp_path)["data"], tmp_path / "run"
    methods = ["--methods", *rows] if command == "benchmark" else []
    assert main([command, "--data", data, *SHORT, *methods, "--seeds", "1", "--out", str(out)]) == 0
    assert not (tmp_path / "log").exists(), "Stable-Baselines3 leaves no empty folders of logs"
    printed = capsys.readouterr().out
    assert 'takes "Wind" for never visible: the row "no visual Wind"' in printed
    (table,) = out.glob("*.csv")
    with table.open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["method" if command == "benchmark" else "agent"] for row in found] == rows
    if command == "benchmark":
        assert "| no visual Wind " in printed
        assert "| without Wind: precision |" in printed
        assert "Speech" not in printed, "tables name the class of the data"
        assert "no visual Wind & " in (out / "results.tex").read_text(encoding="utf-8")
        assert "removed_audio_Siren, ambulance" in found[0], "a name with a comma is one column"
