"""`rlld compare --backend ray`: the cells are Ray Tune's trials and come out as processes make them."""

import json
from pathlib import Path

import pytest

pytest.importorskip("ray.tune")
from rlld_agents.cli import main
from rlld_agents.experiments.study.cell import StudyCell
from rlld_agents.experiments.study.config import CompareConfig
from rlld_agents.runs.folder import read_config

OPTIONS = [
    *("--data", "twin-tiny", "--steps", "4", "--batch-size", "24", "--episode-length", "2"),
    *("--hidden-size", "16", "--parser-epochs", "1", "--seeds", "1", "--workers", "2"),
]
OWN = "tests.agents.experiments.own_agents"


def compare(out: Path, *agents: str) -> int:
    return main(
        ["compare", *OPTIONS, "--agents", "reinforce", *agents, "--backend", "ray", "--out", str(out)]
    )


def test_ray_tune_runs_the_cells_and_reports_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert compare(out, "--agent", f"{OWN}:Broken", "--controls", "keep-all") == 1
    shown = capsys.readouterr()
    assert f"{OWN}:Broken, seed 0 failed: ZeroDivisionError: no idea" in shown.err
    assert "| reinforce" in shown.out
    assert "| keep-all" in shown.out

    config = CompareConfig.from_dict(read_config(out, "rlld compare")["experiment"], "config.json")
    alone = StudyCell(config, "reinforce", 0).run(tmp_path / "alone", lambda _: None)
    beside = json.loads((out / "cells" / "reinforce-seed0.json").read_text())
    assert beside["curve"] == [pytest.approx(row, abs=1e-4) for row in alone["curve"]]
    assert beside["test"] == pytest.approx(alone["test"], abs=1e-4)


@pytest.mark.long
def test_a_comparison_on_ray_goes_on_with_another_agent(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert compare(out, "--controls", "keep-all") == 0
    assert main(["compare", "--resume", str(out), "--agent", f"{OWN}:RemoveFirst"]) == 0
    assert (out / "cells" / f"{OWN}.RemoveFirst-seed0.json").exists()
