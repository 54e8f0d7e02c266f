"""RLlib on both forms of the environment: learning, workers, checkpoints, the seam between episodes."""

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

pytest.importorskip("ray.rllib")
import ray
from ray.rllib.algorithms.ppo import PPO, PPOConfig

from rlld_agents.policies.files import load_policy, save_policy
from rlld_agents.rllib import RemovalDistribution, policy_of
from rlld_gym.envs.wrappers import FlattenAction

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "rllib_ppo.py"))
PLANTED = "rlld_gym:rlld/PlantedNoise-v0"
PLANTED_VIDEOS = "rlld_gym:rlld/PlantedNoisePerVideo-v0"
JOINT = "rlld_gym:rlld/LabelDenoising-v0"
VIDEOS = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"
TINY = {"data": "twin-tiny", "episode_length": 2, "hidden_size": 16}
SMALL = {"hidden_size": 8}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def make(*arguments: Any, **options: Any) -> Any:
    return EXAMPLE["make"](*arguments, **options)


def weights(algorithm: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in algorithm.get_module().state_dict().items()}


def greedy_share(algorithm: Any, env: Any) -> float:
    """Return the mean reward of deterministic actions on the joint planted noise, whose best is 1."""
    policy = policy_of(algorithm)
    observation, info = env.reset(seed=100)
    rewards = []
    for _ in range(32):
        with torch.no_grad():
            logits = policy(*(torch.from_numpy(observation[name]) for name in ("audio", "visual")))
        action = (logits.numpy() > 0) & (info["action_mask"] == 2)
        observation, reward, terminated, _, info = env.step(action.astype(np.int8))
        rewards.append(reward)
        if terminated:
            observation, info = env.reset()
    return float(np.mean(rewards))


@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        pytest.param(PLANTED_VIDEOS, {"num_envs": 16}, id="per_video"),
        pytest.param(PLANTED, {"num_envs": 8, "learning_rate": 1e-2}, id="joint", marks=pytest.mark.long),
    ],
)
def test_learns_planted_noise(env_id: str, options: dict[str, Any]) -> None:
    algorithm = make(env_id, episode_length=8, policy={"hidden_size": 32}, **options)
    returns = EXAMPLE["train"](algorithm, 30)
    assert np.mean(returns[:3]) < 0.5 * 8
    assert np.mean(returns[-2:]) > 0.9 * 8
    assert greedy_share(algorithm, gym.make(PLANTED, episode_length=8)) > 0.9
    algorithm.stop()


@pytest.mark.parametrize(
    ("env_id", "options"),
    [
        (
            VIDEOS,
            {"num_envs": 8, "steps": 64, "observation": "indices", "policy": {"data": "twin-tiny", **SMALL}},
        ),
        pytest.param(
            JOINT,
            {"num_envs": 1, "steps": 8, "batch_size": 8, "policy": SMALL},
            marks=pytest.mark.long,
        ),
    ],
    ids=["per_video", "joint"],
)
def test_two_remote_workers_sample_for_one_learner(env_id: str, options: dict[str, Any]) -> None:
    algorithm = make(env_id, workers=2, minibatch=options["steps"], **TINY, **options)
    before = weights(algorithm)
    result = algorithm.train()
    assert result["env_runners"]["num_env_steps_sampled"] == options["steps"]
    assert result["env_runners"]["episode_len_mean"] == 2
    assert algorithm.env_runner_group.num_healthy_remote_workers() == 2
    changed = [name for name, value in weights(algorithm).items() if not torch.equal(value, before[name])]
    assert any("policy" in name for name in changed)
    for state in algorithm.env_runner_group.foreach_env_runner(
        lambda runner: {name: value.clone() for name, value in runner.module.state_dict().items()},
        local_env_runner=False,
    ):
        assert all(torch.equal(value, weights(algorithm)[name]) for name, value in state.items())
    algorithm.stop()


def test_a_restored_algorithm_has_the_weights_and_learns_on(tmp_path: Path) -> None:
    algorithm = make(PLANTED_VIDEOS, episode_length=4, num_envs=8, steps=64, minibatch=64, policy=SMALL)
    algorithm.train()
    algorithm.save_to_path(str(tmp_path / "checkpoint"))
    save_policy(policy_of(algorithm), tmp_path / "policy.safetensors")
    restored = PPO.from_checkpoint(str(tmp_path / "checkpoint"))
    assert all(torch.equal(value, weights(algorithm)[name]) for name, value in weights(restored).items())
    assert restored.iteration == 1
    result = restored.train()
    assert result["env_runners"]["num_env_steps_sampled_lifetime"] == 128
    assert any(not torch.equal(value, weights(algorithm)[name]) for name, value in weights(restored).items())
    policy = load_policy(tmp_path / "policy.safetensors")
    for name, value in policy_of(algorithm).state_dict().items():
        assert torch.equal(policy.state_dict()[name], value)
    algorithm.stop()
    restored.stop()


def naive_reward(features: np.ndarray, action: np.ndarray) -> float:
    """Return what planted noise pays one video: features (2, T, 2C), C values and C labels; action (2C,)."""
    classes = features.shape[-1] // 2
    present = features[:, 0, classes:] > 0
    noise = features[:, :, :classes].mean(axis=1) > 0
    removed = action.reshape(2, classes) > 0
    if removed[present].all():
        return -1.0
    right = [removed[branch][present[branch]] == noise[branch][present[branch]] for branch in range(2)]
    return float(np.mean([2.0 * branch.mean() - 1.0 for branch in right]))


def test_every_reward_counts_once_across_the_seam_of_episodes() -> None:
    """RLlib makes the per-video form with autoreset mode NEXT_STEP: a step between episodes is a reset."""
    algorithm = make(PLANTED_VIDEOS, episode_length=3, num_envs=4, steps=12, minibatch=12, policy=SMALL)
    episodes = algorithm.env_runner.sample(num_episodes=12)
    assert len(episodes) >= 12
    checked = 0
    for episode in episodes:
        if not episode.is_done:
            continue
        assert len(episode) == 3
        assert episode.is_terminated
        actions, rewards = episode.get_actions(), episode.get_rewards()
        for step in range(3):
            observation = episode.get_observations(step)
            features = np.stack([observation["audio"], observation["visual"]])
            assert rewards[step] == pytest.approx(naive_reward(features, np.asarray(actions[step])), abs=1e-5)
            checked += 1
        assert episode.get_return() == pytest.approx(sum(rewards))
    assert checked >= 36
    algorithm.stop()


@pytest.mark.parametrize("form", [VIDEOS, JOINT], ids=["per_video", "joint"])
def test_features_and_indices_train_the_same_policy(form: str) -> None:
    states = []
    for observation in ("features", "indices"):
        sizes = (
            {"num_envs": 8, "steps": 16} if form == VIDEOS else {"num_envs": 1, "steps": 4, "batch_size": 8}
        )
        options = {**TINY, **sizes, "observation": observation}
        algorithm = make(form, minibatch=options["steps"], policy={"data": "twin-tiny", **SMALL}, **options)
        algorithm.train()
        states.append(weights(algorithm))
        algorithm.stop()
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_the_distribution_is_that_of_independent_bits() -> None:
    logits = torch.randn(5, 4, 2, 3, generator=torch.Generator().manual_seed(0))
    one = RemovalDistribution.from_logits(logits)
    action = one.sample()
    assert action.shape == logits.shape
    probability = torch.sigmoid(logits)
    chosen = torch.where(action > 0, probability, 1 - probability)
    torch.testing.assert_close(one.logp(action.to(torch.int8)), chosen.log().sum((1, 2, 3)))
    entropy = -(probability * probability.log() + (1 - probability) * (1 - probability).log())
    torch.testing.assert_close(one.entropy(), entropy.sum((1, 2, 3)))
    torch.testing.assert_close(one.kl(RemovalDistribution.from_logits(logits)), torch.zeros(5))
    assert torch.equal(one.to_deterministic().sample(), (logits > 0).float())


def test_what_the_page_says_does_not_run() -> None:
    config = PPOConfig().environment(PLANTED).env_runners(num_env_runners=0)
    with pytest.raises(ValueError, match="No default encoder config"):
        config.build_algo()

    class Flat(gym.ObservationWrapper):  # type: ignore[type-arg]
        def __init__(self, _: Any) -> None:
            super().__init__(FlattenAction(gym.make(PLANTED)))
            self.observation_space = gym.spaces.Box(-10, 10, (3,))

        def observation(self, observation: Any) -> Any:
            return observation["audio"][0, 0, :3]

    with pytest.raises(NotImplementedError, match="Unsupported action space"):
        PPOConfig().environment(Flat).env_runners(num_env_runners=0).build_algo()


def test_python_snippets_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "libraries" / "rllib.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, page.name, "exec"), {})
