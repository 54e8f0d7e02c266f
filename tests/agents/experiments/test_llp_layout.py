"""Every method on a store that was imported from npy folders with LLP's official file names."""

import csv
from pathlib import Path

import pytest

from rlld_agents.baselines.rows import ABLATIONS, ROWS
from rlld_agents.cli import main
from rlld_agents.experiments.study.cell import StudyCell
from rlld_agents.experiments.study.cells import failure_of, run_or_explain
from rlld_agents.experiments.study.config import BenchmarkConfig
from rlld_agents.experiments.study.label_cell import LabelCell
from rlld_agents.experiments.study.sweep import skipped_of
from rlld_agents.experiments.study.system_cell import SystemCell
from rlld_gym.data import FeatureStore
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.shared_files import shared_path

LIMIT = 400


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of the first training videos of LLP and all others, with invented small features."""
    annotations = shared_path("llp/AVVP_train.csv").parent
    folder = tmp_path_factory.mktemp("llp")
    features, path = folder / "features", folder / "llp.h5"
    words = ["--annotations", str(annotations), "--limit", str(LIMIT)]
    twin = ["data", "twin", "--layout", "llp", "--scale", "tiny", *words, "--out", str(features)]
    assert main(twin) == 0
    assert main(["data", "import", *words, "--features", str(features), "--out", str(path)]) == 0
    return path


TRIED_ALREADY = ("rlld-frozen", "rlld+cl", "joint+cl", "imitation+rounds+cl")
"""Rows that differ in the final parser only."""

LONG = ("joint", "imitation+rounds", "supervised", "jomold-as-published")
"""Rows whose parts are tried by others, in turns."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.long] if name in LONG else [])
        for name in (*ROWS, *list(ABLATIONS)[1:])
        if name not in TRIED_ALREADY
    ],
)
def test_every_method_runs_on_llps_layout(store: Path, name: str, tmp_path: Path) -> None:
    if name == "cleanlab":
        pytest.importorskip(name)
    config = BenchmarkConfig(
        data=str(store),
        hidden_size=8,
        parser_epochs=1,
        rlld_episodes=1,
        environment=EnvironmentOptions(episode_length=2),
    )
    cell = StudyCell(config, name, 0)
    if name in ("oracle", "oracle+cl"):
        assert run_or_explain(cell, tmp_path, lambda _: None)
        assert "true labels are unknown" in skipped_of([cell], tmp_path)[name]
        return
    result = cell.run(tmp_path, lambda _: None)
    assert all(0 <= score <= 100 for score in result["test"].values())
    if name.removesuffix("+cl") in ("paper", "rlld", "joint"):
        assert {*SCORE_NAMES, "return", "episode"} == set(result["details"]["curve"])
    assert result["removal"]["visual"]["precision"] is None, "nobody knows LLP's truth"
    official = FeatureStore.open(store).split("train").filenames
    with (tmp_path / "labels" / f"{name}-seed0.csv").open(newline="") as file:
        written = [row[0] for row in csv.reader(file)][1:]
    assert len(official) == LIMIT
    assert written == list(official)


def test_systems_skip_labels_that_the_data_cannot_offer(store: Path, tmp_path: Path) -> None:
    config = BenchmarkConfig(data=str(store), hidden_size=8, parser_epochs=1)
    system = SystemCell(config, "han@oracle", 0)
    assert not run_or_explain(system, tmp_path, lambda _: None), "nobody has made the labels yet"
    assert "resume the study to make them" in failure_of(tmp_path, system)
    assert run_or_explain(LabelCell(config, "oracle", 0), tmp_path, lambda _: None)
    assert run_or_explain(system, tmp_path, lambda _: None)
    assert "true labels are unknown" in skipped_of([system], tmp_path)["han@oracle"]
