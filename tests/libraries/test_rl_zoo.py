"""RL Baselines3 Zoo trains on our environments with the hyper-parameters that come along."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("rl_zoo3")
from stable_baselines3 import PPO

ROOT = Path(__file__).resolve().parents[2]


def train(folder: Path, env: str, *words: str) -> Path:
    """Run the zoo's training script; return the folder of its result."""
    command = [sys.executable, "-m", "rl_zoo3.train", "--algo", "ppo", "--env", env, "--seed", "0"]
    command += ["--gym-packages", "rlld_gym", "--conf-file", str(ROOT / "examples" / "rl_zoo.yml")]
    command += ["--eval-freq", "-1", "--log-folder", str(folder), *words]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert finished.returncode == 0, finished.stderr
    return folder / "ppo" / f"{env.replace('/', '-')}_1"


def episodes(folder: Path) -> NDArray[np.float64]:
    """Return return, length and time of all episodes, (E, 3), as they ended."""
    rows = np.concatenate(
        [np.loadtxt(path, delimiter=",", skiprows=2) for path in sorted(folder.glob("*.monitor.csv"))]
    )
    return rows[rows[:, 2].argsort()]


@pytest.mark.long
def test_ppo_learns_planted_noise(tmp_path: Path) -> None:
    result = train(tmp_path, "rlld/PlantedNoise-v0", "--env-kwargs", "episode_length:8")
    returns = episodes(result)[:, 0] / 8
    assert returns[:16].mean() < 0.5
    assert returns[-16:].mean() > 0.9


def test_ppo_runs_on_label_denoising(tmp_path: Path) -> None:
    arguments = ["data:'twin-tiny'", "episode_length:8", "batch_size:16", "observation:'indices'"]
    policy = ["--hyperparams", "policy_kwargs:\"dict(hidden_size=32, data='twin-tiny')\""]
    result = train(tmp_path, "rlld/LabelDenoising-v0", "--env-kwargs", *arguments, *policy)
    rows = episodes(result)
    assert len(rows) == 8
    assert (rows[:, 1] == 8).all()
    assert np.isfinite(rows[:, 0]).all()
    model = PPO.load(result / "rlld-LabelDenoising-v0.zip")
    observation = {name: space.sample() for name, space in model.observation_space.items()}
    assert model.predict(observation)[0].shape == (16 * 2 * 25,)
