"""Commands and environments that are given a folder of shards do what they do with the file."""

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rlld_agents.cli import main
from rlld_gym.data import open_data
from tests.agents.cli_runs import small_run


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The tiny twin as a file and as three shards."""
    place = tmp_path_factory.mktemp("data")
    paths = {"single": place / "twin.h5", "sharded": place / "twin"}
    open_data("twin-tiny").save(paths["single"])
    command = ["data", "shard", str(paths["single"]), "--out", str(paths["sharded"])]
    assert main([*command, "--videos-per-shard", "800"]) == 0
    return paths


def episode(data: Path, **options: Any) -> tuple[list[Any], list[Any]]:
    """Play with a seed; return observations and rewards."""
    env = gymnasium.make(
        "rlld_gym:rlld/LabelDenoising-v0", data=str(data), episode_length=4, batch_size=16, **options
    )
    env.action_space.seed(3)
    seen, rewards, ended = [env.reset(seed=3)[0]], [], False
    while not ended:
        observation, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        seen.append(observation)
        rewards.append(reward)
        ended = terminated or truncated
    env.close()
    return seen, rewards


@pytest.mark.parametrize("options", [{"observation": "indices"}, {"observation": "features"}])
def test_equal_seeds_give_equal_episodes(both: dict[str, Path], options: dict[str, Any]) -> None:
    (seen, rewards), (expected_seen, expected_rewards) = (episode(path, **options) for path in both.values())
    assert rewards == expected_rewards
    assert len(set(rewards)) > 1
    for one, other in zip(seen, expected_seen, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=key)
    assert seen[0].keys() >= {"index" if options["observation"] == "indices" else "audio"}


@pytest.mark.long
def test_equal_seeds_give_equal_runs(both: dict[str, Path], tmp_path: Path) -> None:
    runs = [small_run(tmp_path / name, "--data", str(path), "--no-report") for name, path in both.items()]
    for name in (
        "checkpoint.pt",
        "denoised_labels.csv",
        "denoised_labels.csv.about.json",
        "removal_per_class.csv",
    ):
        files = [run / name for run in runs]
        assert files[0].read_bytes() == files[1].read_bytes(), name
    for name in ("policy.safetensors", "task.safetensors"):
        one, other = (load_file(run / name) for run in runs)
        assert one.keys() == other.keys()
        for key, value in one.items():
            torch.testing.assert_close(value, other[key], rtol=0, atol=0)
    scores = [json.loads((run / "result.json").read_text())["test"] for run in runs]
    assert scores[0] == scores[1]
    # What was learned from one is used on the other without a word.
    out = str(tmp_path / "labels")
    assert main(["denoise", "--checkpoint", str(runs[0]), "--data", str(both["sharded"]), "--out", out]) == 0
    assert (Path(out) / "denoised_labels.csv").is_file()


def test_info_and_check(both: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    tables = {}
    for name, path in both.items():
        assert main(["data", "info", str(path)]) == 0
        tables[name] = capsys.readouterr().out.splitlines()
        assert main(["data", "check", str(path)]) == 0
        assert f"{path}: ok" in capsys.readouterr().out
    assert "shards              3, of 800 videos" in tables["sharded"]
    sizes = ("file", "folder", "shards")
    single, sharded = ([line for line in table if not line.startswith(sizes)] for table in tables.values())
    assert single == sharded


def test_a_missing_shard_is_said_before_anything_is_made(
    both: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "shards"
    assert (
        main(["data", "shard", str(both["sharded"]), "--out", str(folder), "--videos-per-shard", "900"]) == 0
    )
    (folder / "shard-00001.h5").unlink()
    capsys.readouterr()
    assert main(["train", "--data", str(folder), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error == [
        f"rlld: error: sharded store {folder}: shard shard-00001.h5: is missing; put back the files of the folder, "
        "or make it again with 'rlld data shard'"
    ]
    assert not (tmp_path / "run").exists()
    assert main(["data", "check", str(folder)]) == 1
    assert "shard-00001.h5: is missing" in capsys.readouterr().out
    assert main(["data", "shard", str(both["single"]), "--out", str(folder)]) == 2
    assert f"{folder}: is there already; name a new folder" in capsys.readouterr().err


def test_a_folder_that_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    assert "a folder without index.json; expected a store file, or a folder that" in capsys.readouterr().err
