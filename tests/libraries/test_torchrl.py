"""TorchRL: the joint environment natively and through its wrapper, videos, learning, checkpoints."""

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
from torchrl.data import Binary
from torchrl.envs import GymEnv, GymWrapper, ParallelEnv
from torchrl.envs.utils import ExplorationType, check_env_specs, set_exploration_type
from torchrl.objectives import ClipPPOLoss, ReinforceLoss
from torchrl.objectives.value import GAE

from rlld_agents import denoise
from rlld_agents.checkpoint import load_checkpoint, save_checkpoint
from rlld_agents.torchrl import JointEnv, RemovalDistribution, make_policy, network
from rlld_gym.data import open_data
from rlld_gym.envs.wrappers import FlattenAction, ToMultiDiscrete
from rlld_gym.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "torchrl_ppo.py"))
TINY = {"data": "twin-tiny", "episode_length": 2}
PLANTED = "rlld_gym:rlld/PlantedNoise-v0"
DENOISING = "rlld_gym:rlld/LabelDenoising-v0"
VIDEOS = "rlld_gym:rlld/PlantedNoisePerVideo-v0"


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


@pytest.mark.parametrize("view", ["joint", "per_video"])
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


@pytest.mark.parametrize("options", [{}, {"observation": "indices"}, {"time_feature": True}])
def test_specs_of_the_real_task_hold(options: dict[str, Any]) -> None:
    env = JointEnv(gym.make(DENOISING, batch_size=4, **TINY, **options))
    check_env_specs(env, seed=0)
    check_env_specs(env, break_when_any_done="both")
    assert env.action_spec == Binary(shape=torch.Size((4, 2, 25)), dtype=torch.int8)
    steps = env.rollout(4, break_when_any_done=False)
    measured = torch.isfinite(steps["next", "info", "segment_audio"]).squeeze(-1)
    assert measured.tolist() == [False, True, False, True]  # the last steps of two episodes
    assert not steps["info", "reward_audio"][0].isfinite()  # after a reset
    branches = (steps["next", "info", "reward_audio"] + steps["next", "info", "reward_visual"]) / 2
    torch.testing.assert_close(branches, steps["next", "reward"])


@pytest.mark.parametrize(("env_id", "options"), [(PLANTED, {}), (DENOISING, {"batch_size": 4, **TINY})])
def test_the_process_is_that_of_the_wrapped_environment(env_id: str, options: dict[str, Any]) -> None:
    env, twin = JointEnv(gym.make(env_id, **options)), gym.make(env_id, **options)
    env.set_seed(11)
    steps = env.rollout(5, break_when_any_done=False)
    observation, info = twin.reset(seed=11)
    for row in steps:
        for key, value in observation.items():
            np.testing.assert_array_equal(row[key], value)
        np.testing.assert_array_equal(row["indices"], info["indices"])
        np.testing.assert_array_equal(row["action_mask"], info["action_mask"] == 2)
        observation, reward, terminated, truncated, info = twin.step(row["action"].numpy())
        assert row["next", "reward"].item() == np.float32(reward)
        assert row["next", "terminated"].item() == row["next", "done"].item() == terminated
        assert row["next", "truncated"].item() == truncated
        if terminated:
            observation, info = twin.reset()


def test_flat_actions_go_through_the_wrapper_of_torchrl() -> None:
    flat = FlattenAction(gym.make(DENOISING, batch_size=4, **TINY))
    env = GymWrapper(flat)
    check_env_specs(env)
    assert env.action_spec.shape == (200,)
    actor, _ = make_policy(flat.observation_space, flat.action_space)
    assert env.rollout(2, actor)["action"].shape == (2, 200)


@pytest.mark.parametrize("mode", ["Disabled", "SameStep"])
@pytest.mark.parametrize("observation", ["features", "indices"])
def test_videos_go_through_the_wrapper_of_torchrl(mode: str, observation: str) -> None:
    envs = gym.make_vec(
        "rlld_gym:rlld/LabelDenoisingPerVideo-v0",
        num_envs=4,
        observation=observation,
        autoreset_mode=mode,
        **TINY,
    )
    env = GymWrapper(envs)
    check_env_specs(env, break_when_any_done="both")
    actor, _ = make_policy(envs.single_observation_space, envs.single_action_space, data="twin-tiny")
    data = collect(env, actor, 16)
    assert data["action"].shape == (4, 4, 50)
    assert data["next", "done"].squeeze(-1).tolist() == [[False, True] * 2] * 4


def test_same_step_loses_what_the_page_says() -> None:
    steps = {}
    for mode in ("Disabled", "SameStep"):
        env = GymWrapper(gym.make_vec(VIDEOS, num_envs=2, episode_length=2, autoreset_mode=mode))
        env.set_seed(0)
        steps[mode] = env.rollout(
            3, lambda td: td.set("action", torch.zeros(2, 6)), break_when_any_done=False
        )
    one, other = steps["Disabled"], steps["SameStep"]
    assert torch.equal(one["next", "reward"][:, :2], other["next", "reward"][:, :2])
    assert not other["next", "audio"][:, 1].any()  # the last observation is zeros
    assert one["next", "audio"][:, 1].any()
    assert not torch.equal(one["audio"][:, 2], other["audio"][:, 2])  # an episode was begun and dropped


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


def test_a_state_after_the_end_goes_on_with_the_next_episode() -> None:
    env, other = planted(), planted()
    env.set_seed(3)
    assert env.rollout(4)["next", "done"][-1]
    other.set_state(env.get_state())
    assert torch.equal(env.reset()["audio"], other.reset()["audio"])


def test_damaged_states_are_refused() -> None:
    with pytest.raises(InputError, match=r"expected what JointEnv.get_state\(\) returned"):
        planted().set_state({"steps": 3})


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


def make_planted() -> JointEnv:
    return planted(episode_length=3)


def test_runs_in_processes() -> None:
    env = ParallelEnv(2, make_planted, mp_start_method="spawn")
    single = make_planted()
    actor, _ = make_policy(single.observation_space, single.action_space)
    try:
        data = collect(env, actor, 12)
    finally:
        env.close(raise_if_closed=False)
    assert data["action"].shape == (2, 6, 4, 2, 3)


def test_other_environments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"found MultiDiscrete"):
        JointEnv(ToMultiDiscrete(gym.make(PLANTED)))
    with pytest.raises(TypeError, match=r"MultiBinary\(\(B, 2, C\)\)"):
        JointEnv(FlattenAction(gym.make(PLANTED)))
    with pytest.raises(TypeError, match="not 'tuple'"):  # the page says so; TorchRL may learn it
        GymEnv(PLANTED)
    with pytest.raises(RuntimeError, match="must be one of SAME_STEP or DISABLED"):
        GymWrapper(gym.make_vec(VIDEOS, num_envs=4))
    with pytest.raises(InputError, match="expected an actor of make_policy"):
        network(torch.nn.Linear(1, 1))


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
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), {})
