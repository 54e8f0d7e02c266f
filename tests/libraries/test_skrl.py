"""skrl: the per-video and the joint environment, both observations, learning, checkpoints."""

import re
import runpy
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

pytest.importorskip("skrl")
from skrl.agents.torch.a2c import A2C, A2C_CFG
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainer
from skrl.utils import set_seed

from rlld_agents import denoise
from rlld_agents.skrl import MultiDiscreteVideos, RemovalModel, load_agent, save_agent, wrap
from rlld_gym.data import open_data
from rlld_gym.envs.wrappers import ToMultiDiscrete
from rlld_gym.errors import InputError
from tests.reliability.toys import rolled, toy_store

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = runpy.run_path(str(ROOT / "examples" / "skrl_ppo.py"))
PLANTED = "rlld_gym:rlld/PlantedNoisePerVideo-v0"
DENOISING = "rlld_gym:rlld/LabelDenoisingPerVideo-v0"


def per_video(**options: Any) -> Any:
    options = {"id": PLANTED, "num_envs": 16, "episode_length": 8, "autoreset_mode": "SameStep", **options}
    return gym.make_vec(**options)


def copies(env_id: str, num_envs: int, **options: Any) -> Any:
    """Return copies of a joint environment."""
    return gym.make_vec(
        f"rlld_gym:{env_id}",
        num_envs=num_envs,
        vectorization_mode="sync",
        wrappers=(ToMultiDiscrete,),
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **options,
    )


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_learns_planted_noise_video_by_video(seed: int) -> None:
    _, returns = EXAMPLE["train"](per_video(), iterations=20, learning_rate=1e-2, seed=seed)
    assert np.mean(returns[:2]) < 0.7 * 8  # it was not known before
    assert np.mean(returns[-5:]) >= 0.9 * 8


@pytest.mark.long
def test_learns_planted_noise_on_joint_environments() -> None:
    envs = copies("rlld/PlantedNoise-v0", 8, episode_length=8)
    _, returns = EXAMPLE["train"](envs, iterations=30, rollouts=16)
    assert np.mean(returns[:2]) < 0.7 * 8
    assert np.mean(returns[-5:]) >= 0.9 * 8


@pytest.mark.parametrize("view", ["joint", "per_video"])
def test_features_and_indices_train_the_same_policy(view: str) -> None:
    tiny = {"data": "twin-tiny", "episode_length": 2}
    policies = []
    for observation in ("features", "indices"):
        options = {"observation": observation, **tiny}
        if view == "joint":
            envs = copies("rlld/LabelDenoising-v0", 2, batch_size=16, **options)
        else:
            envs = per_video(id="rlld_gym:rlld/LabelDenoisingPerVideo-v0", **options)
        agent, returns = EXAMPLE["train"](envs, iterations=2, rollouts=2, data="twin-tiny")
        assert all(np.isfinite(returns))
        policies.append(agent.policy.network.policy)
    for one, other in zip(*(policy.parameters() for policy in policies), strict=True):
        torch.testing.assert_close(one, other)
    revised = denoise(policies[0], open_data("twin-tiny"))
    assert revised.audio.shape == (1600, 25)


def make_agent(kind: Any, cfg: Any, env: Any) -> Any:
    model = RemovalModel(env)
    return kind(
        models={"policy": model, "value": model},
        memory=RandomMemory(memory_size=4, num_envs=env.num_envs, device=env.device),
        observation_space=env.observation_space,
        action_space=env.action_space,
        device=env.device,
        cfg=cfg(rollouts=4, experiment={"write_interval": 0, "checkpoint_interval": 0}),
    )


@pytest.mark.parametrize(("kind", "cfg"), [(PPO, PPO_CFG), (A2C, A2C_CFG)])
@pytest.mark.parametrize("view", ["joint", "per_video"])
def test_agents_train_the_policy_and_see_ends_of_episodes(kind: Any, cfg: Any, view: str) -> None:
    joint = gym.make("rlld_gym:rlld/PlantedNoise-v0", episode_length=2)
    env = wrap(joint if view == "joint" else per_video(num_envs=4, episode_length=2))
    agent = make_agent(kind, cfg, env)
    before = {name: tensor.clone() for name, tensor in agent.policy.network.policy.state_dict().items()}
    options = {"timesteps": 4, "headless": True, "close_environment_at_exit": False}
    SequentialTrainer(env=env, agents=agent, cfg=options).train()
    ended = agent.memory.get_tensor_by_name("terminated")[:, 0, 0]
    assert ended.tolist() == [False, True, False, True]
    after = agent.policy.network.policy.state_dict()
    assert not any(torch.equal(tensor, after[name]) for name, tensor in before.items() if "bias" not in name)


def test_actions_and_rewards_are_those_of_each_video() -> None:
    set_seed(3)
    env, twin = wrap(per_video(num_envs=4)), per_video(num_envs=4)
    model = RemovalModel(env)
    observation, _ = env.reset()
    arrays, _ = twin.reset(seed=3)
    actions, outputs = model.act({"observations": observation}, role="policy")
    logits, _ = model.network({key: torch.from_numpy(array) for key, array in arrays.items()})
    torch.testing.assert_close(model.distribution().base_dist.logits, logits)
    probability = torch.where(actions > 0, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(outputs["log_prob"], probability.log().sum(1, keepdim=True))
    _, rewards, *_ = env.step(actions)
    np.testing.assert_allclose(rewards[:, 0], twin.step(actions.numpy().astype(np.int8))[1], rtol=1e-6)


def test_a_restored_agent_goes_on_like_the_first(tmp_path: Path) -> None:
    def update(agent: Any) -> list[torch.Tensor]:
        torch.manual_seed(7)
        agent.update(timestep=0, timesteps=0)
        return [parameter.detach().clone() for parameter in agent.policy.parameters()]

    first, _ = EXAMPLE["train"](per_video(), iterations=2)
    second, _ = EXAMPLE["train"](per_video(), iterations=1, seed=1)
    save_agent(first, tmp_path / "agent.pt")
    load_agent(second, tmp_path / "agent.pt")
    second.memory = first.memory
    second._current_next_observations = first._current_next_observations
    values = first.memory.get_tensor_by_name("values").clone()
    one = update(first)
    first.memory.set_tensor_by_name("values", values)
    for tensor, other in zip(one, update(second), strict=True):
        assert torch.equal(tensor, other)  # the same only if Adam's state is restored, too


def test_unusable_checkpoints_are_refused_in_one_line(tmp_path: Path) -> None:
    agent, _ = EXAMPLE["train"](per_video(num_envs=4), iterations=1)
    with pytest.raises(InputError, match="no such file"):
        load_agent(agent, tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("text")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_agent(agent, tmp_path / "text.pt")
    torch.save({"policy": RunsCode()}, tmp_path / "code.pt")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_agent(agent, tmp_path / "code.pt")
    torch.save({"policy": {}}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="expected \\['optimizer', 'policy', 'value'\\]"):
        load_agent(agent, tmp_path / "other.pt")
    large, _ = EXAMPLE["train"](per_video(num_envs=4), iterations=1, hidden_size=8)
    save_agent(large, tmp_path / "large.pt")
    with pytest.raises(InputError, match="does not fit this agent"):
        load_agent(agent, tmp_path / "large.pt")


def test_an_agent_is_not_used_on_classes_in_another_order(tmp_path: Path) -> None:
    toy_store().save(tmp_path / "toy.h5")
    rolled(toy_store()).save(tmp_path / "rolled.h5")
    toy, other = (
        per_video(
            num_envs=4,
            id="rlld_gym:rlld/LabelDenoisingPerVideo-v0",
            data=str(tmp_path / name),
            task_start="fresh",
        )
        for name in ("toy.h5", "rolled.h5")
    )
    agent = make_agent(PPO, PPO_CFG, wrap(toy))
    save_agent(agent, tmp_path / "agent.pt", wrap(toy))
    load_agent(agent, tmp_path / "agent.pt", toy)
    with pytest.raises(InputError, match="class 0 is 'Speech' there, 'Car' here"):
        load_agent(agent, tmp_path / "agent.pt", wrap(other))


class RunsCode:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a checkpoint ran code",))


def test_environments_that_skrl_would_misread_are_refused() -> None:
    with pytest.raises(ValueError, match='made with "SameStep"'):
        wrap(gym.make_vec(PLANTED, num_envs=4))
    with pytest.raises(TypeError, match="MultiBinary"):
        MultiDiscreteVideos(gym.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync"))
    with pytest.raises(ValueError, match="before the first call"):
        RemovalModel(wrap(per_video(num_envs=4))).get_entropy()


def test_importing_skrl_switches_checks_of_distributions_off() -> None:
    torch.distributions.Bernoulli(probs=torch.tensor(2.0))  # the page warns of it; ValueError otherwise


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rlld_agents.skrl")
    monkeypatch.setitem(sys.modules, "skrl.agents.torch", None)
    with pytest.raises(ImportError, match=re.escape('pip install "rlld-gym[skrl]"')):
        import rlld_agents.skrl  # noqa: F401, PLC0415


def test_page_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / "libraries" / "skrl.md"
    snippets = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert snippets
    monkeypatch.chdir(tmp_path)
    for snippet in snippets:
        exec(compile(snippet, str(page), "exec"), {})
