"""The main job with published parsers as task network, and their parsers on any label set."""

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rlld_agents.cli import main
from rlld_gym.parsing.task_file import read_info

SMALL = ("--hidden-size", "16", "--device", "cpu")


@pytest.mark.parametrize("system", ["valor", "cpsp", "mgn", "dhhn"])
def test_environments_with_any_parser_pass_gymnasiums_checker(system: str) -> None:
    options = {"data": "twin-tiny", "batch_size": 16, "subset": 0.02, "episode_length": 2, "hidden_size": 8}
    fresh = {"recipe": f"compact-{system}", "task_start": "fresh", "device": "cpu"}
    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", **options, **fresh)
    check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.long
def test_policy_environment_and_final_parser_have_the_task_network(tmp_path: Path) -> None:
    system = "cpsp"
    words = [
        "--episodes",
        "2",
        "--pairs",
        "1",
        "--episode-length",
        "2",
        "--parser-epochs",
        "1",
        "--workers",
        "1",
    ]
    words += ["--label-sets", "denoised", "--task-network", system, "--out", str(tmp_path / "run")]
    assert main(["train", "--quick", "--preset", "rlld", *SMALL, *words]) == 0
    assert read_info(tmp_path / "run" / "task.safetensors").network == system
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert np.isfinite([row["rollout/ep_rew_mean"] for row in rows]).all()


def test_a_system_is_trained_on_any_label_set_with_thresholds_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train-parser", "--data", "twin-tiny", "--epochs", "1", *SMALL, "--out", str(tmp_path)]
    assert main([*words, "--system", "cmpae", "--tune-thresholds"]) == 0
    info = read_info(tmp_path / "parser-seed0.safetensors")
    assert info.network == "cmpae"
    assert isinstance(info.thresholds.visual, tuple)
    assert len(info.thresholds.visual) == 25
    assert "recipe compact-tiny-cmpae" in capsys.readouterr().out
    other = ["train-parser", "--data", "twin-tiny", "--out", str(tmp_path / "other"), "--system", "valor"]
    assert main([*other, "--recipe", "han"]) == 2
    assert "--system valor: decides recipe and network; leave --recipe out" in capsys.readouterr().err
