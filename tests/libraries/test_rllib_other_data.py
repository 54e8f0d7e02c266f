"""RLlib's door on data that are not LLP's: 20 segments, 7 classes of their own, other feature sizes."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ray.rllib")
import ray

from tests.data.own_data import BATCH, LENGTH, own_options, per_video

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return own_options(tmp_path_factory.mktemp("own"))


def test_removal_rates(options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    example = runpy.run_path(str(EXAMPLES / "rllib_rates.py"))
    example["OPTIONS"].clear()
    example["OPTIONS"].update(options)
    example["main"](12)
    assert "12 episodes: mean return" in capsys.readouterr().out


@pytest.mark.long
def test_a_bit_for_each_label(options: dict[str, Any]) -> None:
    example = runpy.run_path(str(EXAMPLES / "rllib_ppo.py"))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        policy = {"data": options["data"], "hidden_size": 8}
        steps = {"num_envs": BATCH, "steps": BATCH * LENGTH, "minibatch": BATCH}
        algorithm = example["make"](**per_video(options), observation="indices", **steps, policy=policy)
        assert np.isfinite(example["train"](algorithm, 1)).all()
        algorithm.stop()
    finally:
        ray.shutdown()
