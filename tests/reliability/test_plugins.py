"""Code of users that is wrong: one line says so, and it harms nothing beside itself."""

import json
from pathlib import Path

import gymnasium as gym
import pytest
import torch

from rlld_agents.cli import main
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.files import load_policy, save_policy
from rlld_agents.policies.hybrid import HybridAttentionPolicy
from rlld_gym.errors import InputError
from tests.reliability.toys import toy_store

HERE = "tests.reliability.plugins_of_users"
SMALL = {"batch_size": 8, "episode_length": 2, "task_start": "fresh"}


@pytest.fixture
def data(tmp_path: Path) -> str:
    toy_store().save(tmp_path / "toy.h5")
    return str(tmp_path / "toy.h5")


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        ("reward_nan", "returned NaN or infinity"),
        ("reward_complex", "returned a tensor torch.complex64"),
        ("reward_that_exits", r"called sys.exit\(0\)"),
    ],
)
def test_a_reward_that_is_no_number_or_ends_the_program(data: str, reward: str, message: str) -> None:
    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data=data, reward=f"{HERE}:{reward}", **SMALL)
    env.reset(seed=0)
    with pytest.raises(InputError, match=f"{reward}: {message}"):
        env.step(env.action_space.sample())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("Tuple", "returned a tuple"),
        ("Turned", r"segment is torch.float32 \(2, 2, 10, 4\); expected float32 \(2, 10, 2, 4\)"),
        ("NotANumber", "video holds NaN"),
        ("Logits", "is a sigmoid missing"),
        ("Detached", "no gradient"),
        ("Frozen", "no parameter to train"),
    ],
)
def test_a_network_is_tried_before_it_is_trained(
    data: str, network: str, message: str, tmp_path: Path
) -> None:
    env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data=data, task_network=f"{HERE}:{network}", **SMALL)
    with pytest.raises(InputError, match=f"{network}: .*{message}"):
        env.reset(seed=0)
    out = tmp_path / "out"
    words = ["--task-network", f"{HERE}:{network}", "--epochs", "1", "--device", "cpu", "--out", str(out)]
    assert main(["train-parser", "--data", data, *words]) == 2
    assert not out.exists()


def test_a_right_network_is_trained(data: str, tmp_path: Path) -> None:
    words = [
        "--task-network",
        f"{HERE}:Parser",
        "--epochs",
        "1",
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "out"),
    ]
    assert main(["train-parser", "--data", data, *words]) == 0


def test_rows_of_users_harm_no_other_row(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.chdir(tmp_path)
    rows = [f"{HERE}:{name}" for name in ("Changes", "Moves", "Exits", "Number")]
    words = ["--seeds", "1", "--workers", "1", "--parser-epochs", "1", "--device", "cpu", "--out", "study"]
    assert main(["benchmark", "--data", data, "--methods", *rows, "weak", *words]) == 1
    error = capsys.readouterr().err
    assert "changed the labels of the data set" in error
    assert "called sys.exit(0)" in error
    assert "validation_labels: found 3" in error
    cells = {
        path.name.split("-seed")[0].rpartition(".")[2]: path for path in Path("study/cells").glob("*.json")
    }
    assert set(cells) == {"Moves", "weak"}
    scores = [json.loads(cells[name].read_text())["test"] for name in ("Moves", "weak")]
    assert scores[0] == scores[1], "both kept all labels"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study", "toy.h5"]


def test_a_method_that_ends_the_program_is_no_success(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--with", f"{HERE}:Exits", "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main(["denoise", "--data", data, *words]) == 2
    assert "called sys.exit(0)" in capsys.readouterr().err


def test_a_policy_that_diverged_is_refused(tmp_path: Path) -> None:
    store = toy_store()
    policy = HybridAttentionPolicy(store.audio_size, store.visual_size, 4, 8)
    with torch.no_grad():
        next(policy.parameters()).fill_(float("nan"))
    with pytest.raises(InputError, match="removal probabilities are not finite"):
        denoise(policy, store)
    save_policy(policy, tmp_path / "policy.safetensors")
    with pytest.raises(InputError, match="weights of the policy are NaN or infinite"):
        load_policy(tmp_path)
