"""TorchRL: learning, both observations, algorithms, distribution, checkpoints, the page."""

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.wrappers import RecordEpisodeStatistics

pytest.importorskip("torchrl")
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper
from torchrl.envs.utils import ExplorationType, set_exploration_type
from torchrl.objectives import ClipPPOLoss, ReinforceLoss
from torchrl.objectives.value import GAE

from rlld_agents import denoise
from rlld_agents.runs.checkpoint import load_checkpoint, save_checkpoint
from rlld_agents.torchrl import JointEnv, RemovalDistribution, make_policy, network
from rlld_gym.data import open_data

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "torchrl_ppo.py"))
TINY = {"data": "twin-tiny", "episode_length": 2}
PLANTED = "rlld_gym:rlld/PlantedNoise-v0"
DENOISING = "rlld_gym:rlld/LabelDenoising-v0"


def planted(**options: Any) -> JointEnv:
    return JointEnv(gym.make(PLANTED, **options))


def collect(env: Any, policy: Any, frames: int) -> Any:
    collector = Collector(
        env, policy, frames_per_batch=frames, total_frames=-1, auto_register_policy_transforms=False
    )
    return next(iter(collector))


def evaluated(env: Any, actor: Any, steps: int, kind: ExplorationType) -> float:
    with set_exploration_type(kind), torch.no_grad():
        return float(env.rollout(steps, actor, break_when_any_done=False)["next", "reward"].mean())


@pytest.mark.parametrize("view", [pytest.param("joint", marks=pytest.mark.long), "per_video"])
def test_learns_planted_noise(view: str) -> None:
    if view == "joint":
        arguments = {"env_id": "rlld/PlantedNoise-v0", "copies": 8}
    else:
        arguments = {"env_id": "rlld/PlantedNoisePerVideo-v0", "num_envs": 16}
    env, env_spaces = EXAMPLE[view](**arguments, episode_length=8)
    iterations, steps = (25, 16) if view == "joint" else (25, 8)
    actor, returns = EXAMPLE["train"](env, env_spaces, iterations=iterations, steps=steps, learning_rate=1e-2)
    assert np.mean(returns[:2]) < 0.7 * 8  # it was not known before
    assert np.mean(returns[-5:]) >= 0.9 * 8
    env, _ = EXAMPLE[view](**arguments, episode_length=8)
    assert evaluated(env, actor, 40, ExplorationType.RANDOM) >= 0.9
    assert evaluated(env, actor, 40, ExplorationType.DETERMINISTIC) >= 0.9


@pytest.mark.parametrize("view", ["joint", "per_video"])
def test_features_and_indices_train_the_same_policy(view: str) -> None:
    size = {"batch_size": 8, "copies": 2} if view == "joint" else {"num_envs": 16}
    policies = []
    for observation in ("features", "indices"):
        env, env_spaces = EXAMPLE[view](observation=observation, **size, **TINY)
        actor, returns = EXAMPLE["train"](env, env_spaces, iterations=2, steps=2, data="twin-tiny")
        assert all(np.isfinite(returns))
        policies.append(network(actor).policy)
    for one, other in zip(*(policy.parameters() for policy in policies), strict=True):
        torch.testing.assert_close(one, other)
    revised = denoise(policies[0], open_data("twin-tiny"))
    assert revised.audio.shape == (1600, 25)


def test_reinforce_trains_the_policy() -> None:
    env = planted(episode_length=4)
    actor, critic = make_policy(env.observation_space, env.action_space)
    loss_module = ReinforceLoss(actor, critic)
    before = {name: tensor.clone() for name, tensor in network(actor).policy.state_dict().items()}
    optimizer = torch.optim.Adam(loss_module.parameters(), lr=1e-2)
    data = collect(env, actor, 16)
    GAE(gamma=0.5, lmbda=1.0, value_network=critic)(data)
    losses = loss_module(data)
    (losses["loss_actor"] + losses["loss_value"]).backward()
    optimizer.step()
    after = network(actor).policy.state_dict()
    assert not any(torch.equal(tensor, after[name]) for name, tensor in before.items() if "bias" not in name)


class Run:
    """PPO on one joint environment, batches of 6 steps of episodes of 4, so that batches end inside episodes."""

    def __init__(self, env: JointEnv, seed: int, state: dict[str, Any] | None = None) -> None:
        torch.manual_seed(seed)
        self.env = env
        self.actor, self.critic = make_policy(env.observation_space, env.action_space, seed=seed)
        self.loss_module = ClipPPOLoss(self.actor, self.critic, normalize_advantage=True)
        self.optimizer = torch.optim.Adam(self.loss_module.parameters(), lr=1e-2)
        env.set_seed(seed)
        if state is not None:
            network(self.actor).load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            env.set_state(state["env"])
        collector = Collector(
            env, self.actor, frames_per_batch=6, total_frames=-1, auto_register_policy_transforms=False
        )
        if state is not None:
            torch.set_rng_state(state["rng"])
        self.batches = iter(collector)

    def update(self) -> dict[str, torch.Tensor]:
        data = next(self.batches)
        GAE(gamma=0.5, lmbda=0.95, value_network=self.critic)(data)
        for _ in range(2):
            losses = self.loss_module(data)
            self.optimizer.zero_grad()
            (losses["loss_objective"] + losses["loss_critic"] + losses["loss_entropy"]).backward()
            self.optimizer.step()
        return {name: tensor.clone() for name, tensor in network(self.actor).state_dict().items()}

    def state(self) -> dict[str, Any]:
        return {
            "network": network(self.actor).state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "env": self.env.get_state(),
            "rng": torch.get_rng_state(),
        }


@pytest.mark.parametrize(("env_id", "options"), [(PLANTED, {}), (DENOISING, {"batch_size": 4, **TINY})])
def test_a_restored_run_goes_on_bit_for_bit(env_id: str, options: dict[str, Any], tmp_path: Path) -> None:
    def make() -> JointEnv:
        return JointEnv(RecordEpisodeStatistics(gym.make(env_id, **options)))

    first = Run(make(), seed=0)
    for _ in range(2):
        first.update()
    save_checkpoint(tmp_path / "torchrl.pt", first.state())
    expected = [first.update() for _ in range(2)]
    restored = Run(make(), seed=1, state=load_checkpoint(tmp_path / "torchrl.pt"))
    for wanted in expected:
        found = restored.update()
        assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


def test_videos_go_on_repeatably_with_a_new_episode() -> None:
    def make() -> Any:
        return gym.make_vec("rlld_gym:rlld/PlantedNoisePerVideo-v0", num_envs=4, autoreset_mode="Disabled")

    envs = make()
    actor, _ = make_policy(envs.single_observation_space, envs.single_action_space)
    collect(GymWrapper(envs), actor, 24)
    state, batches = envs.get_state(), []
    for _ in range(2):
        envs = make()
        envs.set_state(state)
        torch.manual_seed(0)
        batches.append(collect(GymWrapper(envs), actor, 24))
    assert torch.equal(batches[0]["audio"], batches[1]["audio"])
    assert torch.equal(batches[0]["next", "reward"], batches[1]["next", "reward"])


def test_a_finished_collector_leaves_the_state() -> None:
    env = JointEnv(gym.make(DENOISING, batch_size=4, **TINY))
    collector = Collector(
        env, None, frames_per_batch=2, total_frames=4, auto_register_policy_transforms=False
    )
    assert len(list(collector)) == 2
    assert env.is_closed
    assert not env.get_state()["ended"]


def test_distribution_is_that_of_all_bits() -> None:
    logits = torch.tensor([[[2.0, -1.0, 0.0]], [[-20.0, 0.5, 1.0]]])
    distribution = RemovalDistribution(logits, bits_dims=2)
    assert distribution.deterministic_sample.tolist() == [[[1, 0, 0]], [[0, 1, 1]]]
    action = distribution.sample()
    assert action.dtype == torch.int8
    probability = torch.where(action > 0, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(distribution.log_prob(action), probability.log().sum((1, 2)))


@pytest.mark.parametrize("kind", [ExplorationType.RANDOM, ExplorationType.DETERMINISTIC])
def test_absent_labels_are_never_removed(kind: ExplorationType) -> None:
    env = planted()
    actor, _ = make_policy(env.observation_space, env.action_space, initial_removal=0.9)
    with set_exploration_type(kind):
        steps = env.rollout(40, actor, break_when_any_done=False)
    assert not steps["action"][~steps["action_mask"]].any()
    assert steps["action"][steps["action_mask"]].float().mean() > 0.8


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("rlld_agents.torchrl")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchrl.envs", None)
    with pytest.raises(ImportError, match=re.escape('pip install "rlld-gym[torchrl]"')):
        import rlld_agents.torchrl  # noqa: F401, PLC0415


def test_page_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "libraries" / "torchrl.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert snippets
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}  # snippets go on from each other
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), names)
