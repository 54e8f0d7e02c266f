import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlld_agents.cli import main
from rlld_agents.experiments.study.cell import StudyCell
from rlld_agents.experiments.study.cells import result_path
from rlld_agents.experiments.study.config import CompareConfig
from rlld_agents.experiments.study.study import Study, cells_of
from rlld_gym.envs.options import EnvironmentOptions
from tests.agents.cli_runs import command_in

OWN = "tests.agents.experiments.own_agents"
OPTIONS = [
    *("--data", "twin-tiny", "--steps", "4", "--batch-size", "24", "--episode-length", "2"),
    *("--hidden-size", "16", "--parser-epochs", "1", "--workers", "1"),
]
PNG = b"\x89PNG"


def compare(*words: str) -> int:
    return main(["compare", *words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a comparison of two agents, one of which fails, and a control."""
    out = tmp_path_factory.mktemp("compare") / "run"
    agents = ["--agents", "reinforce", "--agent", f"{OWN}:Broken", "--controls", "keep-all"]
    assert compare(*OPTIONS, *agents, "--seeds", "2", "--out", str(out)) == 1
    return out


def test_one_failed_agent_does_not_stop_the_others(folder: Path) -> None:
    with (folder / "compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["agent"], row["seed"]) for row in rows] == [
        (name, seed) for name in ("reinforce", "keep-all") for seed in ("0", "1")
    ]
    assert {row["steps"] for row in rows} == {"4", "0"}
    for row in rows:
        cell = json.loads((folder / "cells" / f"{row['agent']}-seed{row['seed']}.json").read_text())
        assert float(row["segment_visual"]) == pytest.approx(cell["test"]["segment_visual"], rel=1e-4)
    report = (folder / "cells" / f"{OWN}.Broken-seed0.error.txt").read_text()
    assert "ZeroDivisionError: no idea" in report
    assert "own_agents.py" in report


def test_the_folder_has_tables_pictures_and_the_command(folder: Path) -> None:
    text = (folder / "compare.md").read_text()
    config = json.loads((folder / "config.json").read_text())
    assert "| reinforce" in text
    learning = text.partition("Learning and removals")[2]
    assert re.search(r"\| keep-all +\| \d\.\d\d \[", learning), "a control has a return, too"
    assert command_in(text) == shlex.split(config["command"])
    for name in ("curves", "scores"):
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(PNG)


@pytest.mark.long
def test_resuming_runs_only_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = folder / "cells"
    kept = cells / "keep-all-seed0.json"
    before = kept.stat().st_mtime_ns
    lost = json.loads((cells / "reinforce-seed1.json").read_text())
    (cells / "reinforce-seed1.json").unlink()
    assert compare("--resume", str(folder), "--agent", f"{OWN}:RemoveFirst") == 0
    assert kept.stat().st_mtime_ns == before
    again = json.loads((cells / "reinforce-seed1.json").read_text())
    assert again["test"] == pytest.approx(lost["test"], abs=1e-4)
    assert again["curve"] == [pytest.approx(row, abs=1e-4) for row in lost["curve"]]
    assert f"{OWN}:RemoveFirst" in capsys.readouterr().out


def test_resuming_refuses_options_that_change_results(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare("--resume", str(folder), "--steps", "8") == 2
    assert "--steps 8: the comparison was started with 4" in capsys.readouterr().err


def test_a_folder_is_not_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(*OPTIONS, "--out", str(folder)) == 2
    assert f"rlld compare --resume {folder}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0"], "--seeds: found 0, expected at least 1"),
        (["--steps", "1"], "at least one episode of 2"),
        (["--agent", "nowhere:Agent"], "there is no module 'nowhere'"),
        (["--data", "nowhere.h5"], "nowhere.h5"),
        (["--recipe", "unknown"], "unknown"),
    ],
)
def test_bad_options_are_named_before_anything_is_written(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert compare(*OPTIONS, *words, "--out", str(out)) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_processes_get_the_results_of_this_process(folder: Path, tmp_path: Path) -> None:
    environment = EnvironmentOptions(batch_size=24, episode_length=2)
    config = CompareConfig(
        data="twin-tiny", steps=4, hidden_size=16, parser_epochs=1, environment=environment, controls=()
    )
    alone = StudyCell(config, "reinforce", 0).run(tmp_path, lambda _: None)
    beside = json.loads((folder / "cells" / "reinforce-seed0.json").read_text())
    assert beside["curve"] == [pytest.approx(row, abs=1e-4) for row in alone["curve"]]


@pytest.mark.long
def test_ctrl_c_leaves_a_comparison_that_can_be_resumed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = [
        *OPTIONS,
        "--agents",
        "--controls",
        "keep-all",
        "--seeds",
        "2",
        "--workers",
        "1",
        "--out",
        str(out),
    ]
    # A shell's background jobs ignore SIGINT and hand that down.
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "from rlld_agents.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "compare", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    first = out / "cells" / "keep-all-seed0.json"
    while not first.exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # the whole group, as a terminal does
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"rlld compare --resume {out}" in errors
    assert compare("--resume", str(out)) == 0
    assert len(list((out / "cells").glob("*.json"))) == 2


def test_cells_grow_seed_by_seed() -> None:
    config = CompareConfig(agents=("ppo",), controls=("oracle",), agent=("a:B",), seeds=2)
    names = [(cell.name, cell.seed) for cell in cells_of(config, config.row_names())]
    assert names == [(name, seed) for seed in (0, 1) for name in ("ppo", "a:B", "oracle")]
    assert result_path(Path("run"), StudyCell(config, "a:B", 1)) == Path("run/cells/a.B-seed1.json")


def test_a_comparison_without_results_says_so(tmp_path: Path) -> None:
    environment = EnvironmentOptions(batch_size=24, episode_length=2)
    config = CompareConfig(data="twin-tiny", agents=(), controls=(), steps=4, environment=environment)
    with pytest.raises(Exception, match="no cell is done"):
        Study(config, tmp_path / "run", progress=False).run()


@pytest.mark.parametrize("agent", ["ppo", "a2c"])
def test_budgets_are_whole_episodes(agent: str, tmp_path: Path) -> None:
    """The sixth of seven steps ends the second episode of three: there the agent stops."""
    environment = EnvironmentOptions(batch_size=24, episode_length=3)
    config = CompareConfig(
        data="twin-tiny", steps=7, hidden_size=16, parser_epochs=1, environment=environment
    )
    result = StudyCell(config, agent, 0).run(tmp_path, lambda _: None)
    assert [row["steps"] for row in result["curve"]] == [3, 6]
