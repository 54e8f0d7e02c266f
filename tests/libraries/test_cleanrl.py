"""The single-file PPO in the style of CleanRL, and the snippets of its page; no library is needed."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import torch

from rlld_agents.policies.files import load_policy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "cleanrl_ppo.py"))


def train(**options: Any) -> Any:
    return EXAMPLE["train"](EXAMPLE["Args"](**options))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_learns_planted_noise(seed: int) -> None:
    _, curve = train(
        env_id="rlld_gym:rlld/PlantedNoisePerVideo-v0",
        env_options={"episode_length": 8},
        episodes=30,
        learning_rate=1e-2,
        seed=seed,
    )
    assert sum(curve[:3]) / 3 < 0.7 * 8  # it was not known before
    assert sum(curve[-10:]) / 10 >= 0.9 * 8


def test_features_and_indices_train_the_same_policy() -> None:
    options = {"data": "twin-tiny", "episode_length": 4}
    one, curve = train(env_options=options, episodes=3)
    other, other_curve = train(env_options={**options, "observation": "indices"}, episodes=3)
    assert other_curve == pytest.approx(curve)
    for tensor, other_tensor in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(tensor, other_tensor)


def test_returns_are_those_that_the_environment_paid(capsys: pytest.CaptureFixture[str]) -> None:
    _, curve = train(
        env_id="rlld_gym:rlld/PlantedNoisePerVideo-v0", env_options={"episode_length": 3}, episodes=2
    )
    assert len(curve) == 2
    assert all(-3 <= value <= 3 for value in curve)
    assert capsys.readouterr().out.splitlines()[-1] == f"   96 steps: mean return {curve[-1]:.3f}"


def test_the_saved_policy_is_the_trained_one(tmp_path: Path) -> None:
    model, _ = train(
        env_id="rlld_gym:rlld/PlantedNoisePerVideo-v0",
        episodes=2,
        env_options={},
        save=str(tmp_path / "policy"),
    )
    loaded = load_policy(tmp_path / "policy")
    for name, tensor in model.policy.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_file_stays_short() -> None:
    assert len((ROOT / "examples" / "cleanrl_ppo.py").read_text(encoding="utf-8").splitlines()) <= 80


def test_page_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "libraries" / "cleanrl.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert snippets
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), {})
