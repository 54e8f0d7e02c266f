"""Tianshou: the joint and the per-video environment, both observations, learning, checkpoints."""

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("tianshou")
from tianshou.algorithm import A2C, Reinforce
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import SubprocVectorEnv
from tianshou.utils.torch_utils import policy_within_training_step

from rlld_agents import denoise
from rlld_agents.runs.checkpoint import load_checkpoint, save_checkpoint
from rlld_agents.tianshou import PerVideoEnvs, RemovalDistribution, make_policy
from rlld_gym.data import open_data

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "tianshou_ppo.py"))
TINY = {"data": "twin-tiny", "episode_length": 2}


def per_video_planted(**options: Any) -> Any:
    return EXAMPLE["per_video"](
        "rlld/PlantedNoisePerVideo-v0", **{"num_envs": 16, "episode_length": 8, **options}
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_learns_planted_noise_video_by_video(seed: int) -> None:
    _, returns = EXAMPLE["train"](per_video_planted(), iterations=20, learning_rate=1e-2, seed=seed)
    assert np.mean(returns[:2]) < 0.7 * 8  # it was not known before
    assert np.mean(returns[-5:]) >= 0.9 * 8


@pytest.mark.long
def test_learns_planted_noise_on_joint_environments() -> None:
    envs = EXAMPLE["joint"]("rlld/PlantedNoise-v0", copies=8, episode_length=8)
    ppo, returns = EXAMPLE["train"](envs, iterations=25, steps=16, learning_rate=1e-2)
    assert np.mean(returns[:2]) < 0.7 * 8
    assert np.mean(returns[-5:]) >= 0.9 * 8
    collector = Collector(ppo, envs, VectorReplayBuffer(64, 8))  # outside of training steps: deterministic
    collector.reset()
    assert collector.collect(n_episode=8).returns_stat.mean >= 0.9 * 8
    assert collector.buffer.act.shape[1:] == (4, 2, 3)


@pytest.mark.parametrize("view", ["joint", "per_video"])
def test_features_and_indices_train_the_same_policy(view: str) -> None:
    size = {"batch_size": 16} if view == "joint" else {"num_envs": 16}
    policies = []
    for observation in ("features", "indices"):
        envs = EXAMPLE[view](observation=observation, **size, **TINY)
        ppo, returns = EXAMPLE["train"](envs, iterations=2, steps=2, data="twin-tiny")
        assert all(np.isfinite(returns))
        policies.append(ppo.policy.actor.model.policy)
    for one, other in zip(*(policy.parameters() for policy in policies), strict=True):
        torch.testing.assert_close(one, other)
    revised = denoise(policies[0], open_data("twin-tiny"))
    assert revised.audio.shape == (1600, 25)


def test_collected_rewards_are_those_of_each_video() -> None:
    envs = per_video_planted(num_envs=4, episode_length=3)
    twin = gym.make_vec(
        "rlld_gym:rlld/PlantedNoisePerVideo-v0", num_envs=4, episode_length=3, autoreset_mode="Disabled"
    )
    policy, _ = make_policy(twin.single_observation_space, twin.single_action_space)
    collector = Collector(policy, envs, VectorReplayBuffer(12, 4))
    envs.seed(5)
    collector.reset()
    collector.collect(n_step=12)
    twin.reset(seed=5)
    twin.reset()
    batch = collector.buffer[np.arange(12)]
    for step in range(3):
        rows = np.arange(4) * 3 + step
        _, rewards, terminated, _, _ = twin.step(batch.act[rows])
        np.testing.assert_array_equal(batch.rew[rows], rewards)
        np.testing.assert_array_equal(batch.terminated[rows], terminated)
        np.testing.assert_array_equal(batch.terminated[rows], step == 2)


def test_a_restored_run_goes_on_like_the_first(tmp_path: Path) -> None:
    def update(ppo: Any) -> list[torch.Tensor]:
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002 (shuffles the batch)
        envs = per_video_planted()
        collector = Collector(ppo, envs, VectorReplayBuffer(128, 16))
        envs.seed(3)
        collector.reset()
        with policy_within_training_step(ppo.policy):
            collector.collect(n_step=128)
            ppo.update(collector.buffer, batch_size=None, repeat=2)
        return [parameter.detach().clone() for parameter in ppo.parameters()]

    first, _ = EXAMPLE["train"](per_video_planted(), iterations=2)
    save_checkpoint(tmp_path / "tianshou.pt", first.state_dict())
    restored, _ = EXAMPLE["train"](per_video_planted(), iterations=1, seed=1)
    restored.load_state_dict(load_checkpoint(tmp_path / "tianshou.pt"))
    for one, other in zip(update(first), update(restored), strict=True):
        assert torch.equal(one, other)  # the same only if Adam's state is restored, too


@pytest.mark.parametrize("algorithm", [A2C, Reinforce])
@pytest.mark.parametrize("view", ["joint", "per_video"])
def test_other_algorithms_train_the_policy(algorithm: Any, view: str) -> None:
    envs = per_video_planted() if view == "per_video" else EXAMPLE["joint"]("rlld/PlantedNoise-v0")
    policy, critic = make_policy(
        envs.get_env_attr("observation_space")[0], envs.get_env_attr("action_space")[0]
    )
    options = {"critic": critic} if algorithm is A2C else {}
    trained = algorithm(policy=policy, optim=AdamOptimizerFactory(lr=1e-2), **options)
    collector = Collector(trained, envs, VectorReplayBuffer(64, len(envs)))
    collector.reset()
    before = {name: tensor.clone() for name, tensor in policy.actor.model.policy.state_dict().items()}
    with policy_within_training_step(policy):
        collector.collect(n_step=4 * len(envs))
        trained.update(collector.buffer, batch_size=None, repeat=1)
    after = policy.actor.model.policy.state_dict()
    assert not any(torch.equal(tensor, after[name]) for name, tensor in before.items() if "bias" not in name)


def test_distribution_is_that_of_all_bits() -> None:
    logits = torch.tensor([[[2.0, -1.0, 0.0]], [[-20.0, 0.5, 1.0]]])
    distribution = RemovalDistribution(logits)
    assert distribution.mode.tolist() == [[[1.0, 0.0, 0.0]], [[0.0, 1.0, 1.0]]]
    action = distribution.sample()
    probability = torch.where(action > 0, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(distribution.log_prob(action), probability.log().sum((1, 2)))
    assert distribution.stddev.shape == (2, 1)


@pytest.mark.long
def test_runs_in_processes() -> None:
    def make() -> Any:
        return gym.make("rlld_gym:rlld/PlantedNoise-v0", episode_length=2)

    envs = SubprocVectorEnv([make] * 2, context="spawn")
    _, returns = EXAMPLE["train"](envs, iterations=1, steps=2)
    envs.close()
    assert len(returns) == 1


def test_videos_cannot_be_run_one_by_one() -> None:
    envs = per_video_planted(num_envs=4)
    with pytest.raises(ValueError, match="expected all"):
        envs.reset(env_id=[0, 2])
    envs.reset()
    with pytest.raises(ValueError, match="multiples of 4"):
        envs.step(np.zeros((1, 6)), id=[3])
    with pytest.raises(ValueError, match="cannot be set"):
        envs.set_env_attr("seed", 1)


def test_other_autoreset_modes_are_refused() -> None:
    envs = gym.make_vec("rlld_gym:rlld/PlantedNoisePerVideo-v0", num_envs=4, autoreset_mode="SameStep")
    with pytest.raises(ValueError, match='made with "Disabled"'):
        PerVideoEnvs(envs)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rlld_agents.tianshou")
    monkeypatch.setitem(sys.modules, "tianshou.env", None)
    with pytest.raises(ImportError, match=re.escape('pip install "rlld-gym[tianshou]"')):
        import rlld_agents.tianshou  # noqa: F401, PLC0415


def test_page_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "libraries" / "tianshou.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert snippets
    monkeypatch.chdir(tmp_path)
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), {})
