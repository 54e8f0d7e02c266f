"""The programs of benchmarks/ run to their end at their smallest settings; what they measure is not judged."""

import csv
import importlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
TINY = "--data twin-tiny --hidden-size 8"
LEARNING = "{root}/docs/benchmark/learning"
QUICK = {
    "attention_speed": "--size twin-tiny 8 16 --videos 16 --turns 1",
    "batch_drawing": "--videos 500 --episodes 1",
    "credit_variance": "--data twin-tiny --warm-up 1 --batches 2 --samples 2 --out {out}/figure",
    "device_check": "--seconds 0 --device cpu --quick --out {out}/check",
    "environment_overhead": f"{TINY} --steps 2 --turns 1",
    "learning_figures": f"--methods {LEARNING} --dense 649={LEARNING} --out {{out}}",
    "leave_one_out": "--copies 2 --rounds 4 --burn-in 1 --batch-size 8 --steps 2 --hidden-size 8",
    "metrics_speed": "--videos 20 --repeats 1",
    "recipe_grid": f"{TINY} --methods weak --rates 1 2 --epochs .05 --seeds 1 --one-at-a-time --final-seeds 2 "
    "--workers 1 --out {out}",
    "rates_learning": "--data twin-tiny --agents es --seeds 0 --episodes 4 --episode-length 1 --out {out}/figure",
    "reinforce_learning": "--data twin-tiny --seeds 0 --episodes 1 --out {out}/figure",
    "reward_only_parts": "",
    "reward_order": "--data twin-tiny --seeds 0 --episode-length 2 --hidden-size 8 --out {out}/table",
    "rollout_memory": f"{TINY} --num-videos 8 --steps 2",
    "stacked_runs": f"{TINY} --batch-size 16 --counts 1 2 --steps 2 --turns 1",
    "system_grid": "--data twin-tiny --systems ave --batch-sizes 128 --rates .01 --epochs 1 --out {out}",
    "training_speed": f"{TINY} --batch-size 16 --steps 1 --turns 1 --videos 4",
    "twin_calibration": "--scale tiny --seeds 0 --epochs 1 --hidden-size 8 --out {out}/records.json",
    "twin_variants": "--scale tiny",
    "validation_speed": f"{TINY} --batch-sizes 16 --turns 1",
}
"""Options with which a program takes seconds."""

LONG = {
    "credit_variance", "metrics_speed", "recipe_grid", "rates_learning", "reinforce_learning", "rollout_memory",
    "system_grid",
}  # fmt: skip
"""Those of them that start processes, learn, or take more than a few seconds."""

SLOW = (
    "compiled_step",
    "denoiser_speed",
    "exploration_optimisers",
    "extraction_scaling",
    "few_dense_videos",
    "pairs_scaling",
    "preset_cost",
    "rllib_scaling",
    "robust_training",
    "reward_only_parts_report",
    "scaling",
    "sharded_store",
    "soak",
    "store_memory",
    "system_speed",
    "train_speed",
)
"""Programs that no options make as quick: only their start is tried."""

HELPERS = {"more_parameters", "recipe_grid_report", "simulated_cluster", "turns"}
"""Modules that programs share."""

LIBRARIES = {
    "extraction_scaling": "ray.data",
    "pairs_scaling": "ray",
    "rllib_scaling": "ray",
    "rollout_memory": "stable_baselines3",
}


@pytest.fixture(autouse=True)
def unchanged() -> Iterator[None]:
    """Programs own their process: they may seed it and choose its threads."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        yield
    torch.set_num_threads(threads)


def run(name: str, options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a program in this process: to import torch anew takes longer than most of them."""
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name])
    monkeypatch.setattr("sys.argv", [name, *options.split()])
    importlib.import_module(f"benchmarks.{name}").main()


def test_no_program_is_forgotten() -> None:
    assert {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - HELPERS == {*QUICK, *SLOW}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in QUICK]
)
def test_a_program_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = QUICK[name].format(out=tmp_path, root=ROOT)
    run(name, options, monkeypatch)
    assert capsys.readouterr().out or name == "learning_figures"
    assert any(tmp_path.iterdir()) is ("--out" in options)


@pytest.mark.long
def test_a_grid_goes_on_with_more_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = QUICK["recipe_grid"].format(out=tmp_path, root=ROOT)
    run("recipe_grid", options.replace(" --final-seeds 2", ""), monkeypatch)
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("cells/*.json")}
    run("recipe_grid", options, monkeypatch)
    assert {path: path.stat().st_mtime_ns for path in done} == done
    with (tmp_path / "recipe_grid.csv").open(newline="") as file:
        seeds = Counter(row["seed"] for row in csv.DictReader(file))
    # Four points on one seed; then the first and the chosen one, which may be the same.
    assert seeds["0"] == 4
    assert seeds["1"] in (1, 2)


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_program_starts(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as end:
        run(name, "--help", monkeypatch)
    assert end.value.code == 0
    assert "usage: " in capsys.readouterr().out
