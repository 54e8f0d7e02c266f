import json
import shutil
from pathlib import Path

import pytest

from rlld_agents.cli import COMMANDS, DATA_COMMANDS, main
from tests.agents.cli_runs import small_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("runs") / "small", "--label-sets", "denoised")


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that a command with bad input prints."""
    capsys.readouterr()
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len([line for line in lines if line.startswith("rlld: error: ")]) == 1
    return lines[-1]


@pytest.mark.parametrize("words", [["--help"], ["data", "--help"], *([name, "--help"] for name in COMMANDS)])
def test_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "usage: rlld" in text
    if words[0] in COMMANDS and words[0] != "completion":
        assert "--out" in text
        assert "--seed" in text or words[0] == "report"


@pytest.mark.parametrize("name", DATA_COMMANDS)
def test_help_of_the_data_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", name, "--help"]) == 0
    assert f"usage: rlld data {name}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["tain"], ["data"], ["data", "imprt"]])
def test_unknown_commands_end_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "usage: rlld" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["train", "--episods", "3"], "--episods"),
        (["train", "--episodes", "many"], "'many'"),
        (["train", "--episodes", "0"], "option episodes: found 0, expected at least 1"),
        (["train", "--label-sets", "weak", "week"], "week"),
        (["denoise"], "--out"),
    ],
)
def test_usage_errors_are_one_line(words: list[str], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = error_of(words, capsys)
    assert named in line
    assert line.endswith(f"(see rlld {words[0]} --help)")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere.h5"], "data 'nowhere.h5'"),
        (["--data", "twin-huge"], "unknown twin"),
        (["--recipe", "cake"], "unknown recipe 'cake'"),
        (["--device", "warp"], "--device warp: not usable here"),
        (["--preset", "paper", "--overlap", "1.5"], "overlap is 1.5"),
        (["--preset", "paper", "--advantage", "label"], "--reward paper does not give; add --reward credit"),
        (["--preset", "paper", "--update-every", "4"], "option update_every: found 4, expected none"),
        (["--preset", "rlld", "--advantage", "label"], "--advantage label: the preset rlld does not use it"),
        (["--resume", "nowhere"], "nowhere: not a run folder"),
    ],
)
def test_bad_options_of_train(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if "--resume" in options else ["--out", str(tmp_path / "run")]
    quick = [] if "--data" in options else ["--quick"]
    assert message in error_of(["train", *quick, *options, *out], capsys)
    assert not list(tmp_path.iterdir()), "a corrected command must find its folder free"


def test_out_with_resume(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "leave --out away" in error_of(["train", "--resume", str(run), "--out", "x"], capsys)


def test_damaged_configuration(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = json.loads((run / "config.json").read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config | {"command": "another"}))
    assert "was changed after it was written" in error_of(["train", "--resume", str(tmp_path)], capsys)
    del config["checksum"]
    for text, message in [
        ("{", "not JSON"),
        ("[]", "not the configuration of a run"),
        (json.dumps(config | {"version": 99}), "version 99"),
        (json.dumps(config | {"experiment": {"colour": 1}}), "options do not fit"),
        (json.dumps(config | {"experiment": None}), "holds no options of an experiment"),
    ]:
        path.write_text(text)
        assert message in error_of(["train", "--resume", str(tmp_path)], capsys)


def test_checkpoints_that_do_not_fit(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, message in [("task", "network for audio_size"), ("policy", "policy for")]:
        words = ["evaluate", "--checkpoint", str(run / f"{name}.safetensors"), "--data", "twin-small"]
        assert message in error_of(words, capsys)
    words = ["denoise", "--checkpoint", str(run), "--data", "twin-small", "--out", str(tmp_path)]
    assert "policy for" in error_of(words, capsys)
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_checkpoints(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torn = tmp_path / "torn.safetensors"
    torn.write_bytes((run / "task.safetensors").read_bytes()[:1000])
    for path, message in [
        (tmp_path, "holds neither task.safetensors nor policy.safetensors"),
        (tmp_path / "nothing", "no such file"),
        (run / "result.json", "not a readable safetensors file"),
        (run / "checkpoint.pt", "not a readable safetensors file"),
        (torn, "not a readable safetensors file"),
    ]:
        assert message in error_of(["evaluate", "--checkpoint", str(path), "--data", "twin-tiny"], capsys)
    shutil.copy(run / "policy.safetensors", tmp_path)
    assert "lies in no run folder" in error_of(["evaluate", "--checkpoint", str(tmp_path)], capsys)


def test_files_that_cannot_be_written(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    labels = ["denoise", "--checkpoint", str(run), "--out", str(tmp_path / "file" / "labels")]
    assert "Not a directory" in error_of(labels, capsys)
    scores = ["evaluate", "--checkpoint", str(run / "task.safetensors"), "--out", str(tmp_path)]
    assert f"{tmp_path}: Is a directory" in error_of(scores, capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_thresholds(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--checkpoint", str(run), "--threshold", "1"]
    assert "--threshold: found 1.0" in error_of(["evaluate", *words], capsys)
    assert "--threshold: found 1.0" in error_of(["denoise", *words, "--out", str(tmp_path)], capsys)


def test_ctrl_c_before_anything_happened(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("rlld_agents.cli.common.run_command", interrupted)
    assert main(["train", "--quick"]) == 130
    assert "go on with: rlld train --quick" in capsys.readouterr().err


def test_quick_beside_other_data_says_that_it_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--quick", "--data", "nowhere.h5"]) == 2
    assert "--quick is twin-tiny and has no effect beside --data nowhere.h5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "rlld", "--pairs", "2", "--data", "nowhere.h5"], "nowhere.h5"),
        (["--preset", "joint", "--rollout-workers", "2", "--data", "nowhere.h5"], "nowhere.h5"),
        (
            ["--preset", "paper", "--rollout-workers", "2"],
            "--rollout-workers 2: the preset paper does not use it",
        ),
        (["--preset", "rlld", "--pairs", "0"], "pairs: found 0, expected at least 1"),
    ],
)
def test_the_preset_says_which_options_of_reinforce_it_uses(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in error_of(["train", *words, "--out", str(tmp_path / "run")], capsys)
    assert not (tmp_path / "run").exists()
