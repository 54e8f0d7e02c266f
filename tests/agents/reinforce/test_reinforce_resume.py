"""Runs that stop and go on: resumed equals uninterrupted, Ctrl-C, folders and checkpoints."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from torch import nn

from rlld_agents import NetworkPolicy, Reinforce, ReinforceConfig, load_policy
from rlld_agents.runs.checkpoint import load_checkpoint, save_checkpoint
from rlld_agents.runs.log import read_rows
from rlld_gym.envs.planted_noise import PlantedNoiseEnv
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES
from tests.agents.reinforce_runs import QUICK, make_agent, make_policy, weights, without_clock


def check_resumed_run_equals_uninterrupted(make: Any, config: ReinforceConfig, folder: Path) -> None:
    """Train ``config.episodes`` at once, and in two halves with everything built anew; compare."""
    whole = make(config)
    whole.learn(folder / "whole", tensorboard=False)
    half = make(dataclasses.replace(config, episodes=config.episodes // 2))
    half.learn(folder / "halves", tensorboard=False)
    resumed = make(config)
    resumed.learn(folder / "halves", resume=True, tensorboard=False)
    assert torch.equal(weights(whole), weights(resumed))
    rows = [without_clock(read_rows(folder / name / "metrics.jsonl")) for name in ("whole", "halves")]
    assert rows[0] == rows[1]
    loaded = load_policy(folder / "halves")
    assert torch.equal(nn.utils.parameters_to_vector(loaded.parameters()).detach(), weights(whole))


@pytest.mark.parametrize(
    "options", [{}, {"baseline": "ema", "reward_to_go": True, "entropy_coefficient": 0.01}]
)
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path, options: dict[str, Any]) -> None:
    check_resumed_run_equals_uninterrupted(make_agent, dataclasses.replace(QUICK, **options), tmp_path)


def test_a_run_killed_after_its_last_checkpoint_leaves_its_last_policy_all_the_same(tmp_path: Path) -> None:
    make_agent(dataclasses.replace(QUICK, episodes=QUICK.episodes // 2)).learn(tmp_path, tensorboard=False)
    earlier = (tmp_path / "policy.safetensors").read_bytes()
    make_agent(QUICK).learn(tmp_path, resume=True, tensorboard=False)
    (tmp_path / "policy.safetensors").write_bytes(earlier)
    resumed = make_agent(QUICK)
    assert resumed.learn(tmp_path, resume=True, tensorboard=False) == []
    loaded = load_policy(tmp_path)
    assert torch.equal(nn.utils.parameters_to_vector(loaded.parameters()).detach(), weights(resumed))


def make_network_agent(config: ReinforceConfig) -> Reinforce:
    env = PlantedNoiseEnv()
    audio, visual = (env.observation_space[name].shape[-1] for name in ("audio", "visual"))
    num_classes = env.action_space.shape[-1]
    sizes = {"audio_size": audio - num_classes, "visual_size": visual - num_classes, "hidden_size": 8}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        policy = NetworkPolicy("han", num_classes=num_classes, **sizes)
    return Reinforce(policy, env, config)


def test_every_policy_that_can_be_loaded_leaves_its_file(tmp_path: Path) -> None:
    check_resumed_run_equals_uninterrupted(make_network_agent, QUICK, tmp_path)


def make_label_denoising_agent(config: ReinforceConfig, lifespan: str) -> Reinforce:
    env = gymnasium.make(
        "rlld/LabelDenoising-v0",
        data="twin-tiny",
        batch_size=16,
        episode_length=3,
        hidden_size=8,
        task_lifespan=lifespan,
        device="cpu",
    )
    return Reinforce(make_policy(env), env, config)


@pytest.mark.parametrize("lifespan", ["episode", "run"])
def test_a_resumed_run_equals_an_uninterrupted_one_in_label_denoising(tmp_path: Path, lifespan: str) -> None:
    config = ReinforceConfig(episodes=4, learning_rate=1e-2, seed=5)
    make = functools.partial(make_label_denoising_agent, lifespan=lifespan)
    check_resumed_run_equals_uninterrupted(make, config, tmp_path)
    row = read_rows(tmp_path / "whole" / "metrics.jsonl")[-1]
    assert {f"env/{name}" for name in SCORE_NAMES} <= set(row)
    assert row["rollout/ep_len_mean"] == 3
    assert row["rollout/ep_rew_mean"] == pytest.approx(
        (row["rollout/return_audio"] + row["rollout/return_visual"]) / 2
    )


def test_a_refused_resume_changes_nothing(tmp_path: Path) -> None:
    """The environment's state, which is read last, is of an environment with another option."""
    config = ReinforceConfig(episodes=2, learning_rate=1e-2, seed=5)
    make_label_denoising_agent(config, "episode").learn(tmp_path, tensorboard=False)
    other = make_label_denoising_agent(dataclasses.replace(config, episodes=4), "run")
    before = weights(other).clone()
    with pytest.raises(InputError, match="task_lifespan"):
        other.learn(tmp_path, resume=True, tensorboard=False)
    assert other.episode == 0
    assert torch.equal(weights(other), before)


@pytest.mark.gpu
def test_a_resumed_run_equals_an_uninterrupted_one_on_a_gpu(tmp_path: Path) -> None:
    def make(config: ReinforceConfig) -> Reinforce:
        env = PlantedNoiseEnv()
        return Reinforce(make_policy(env).to("cuda"), env, config)

    check_resumed_run_equals_uninterrupted(make, QUICK, tmp_path)


@pytest.mark.parametrize("interrupted_step", [2, 4 * 3, 4 * 3 + 1])
def test_ctrl_c_saves_the_last_complete_episode(tmp_path: Path, interrupted_step: int) -> None:
    """Also between two checkpoints and in the first episode; the torn episode is forgotten."""

    class CtrlC(PlantedNoiseEnv):
        played = 0

        def step(self, action: Any) -> Any:
            CtrlC.played += 1
            if CtrlC.played == interrupted_step + 1:
                raise KeyboardInterrupt
            return super().step(action)

    whole = make_agent()
    rows = whole.learn()
    env = CtrlC()
    with pytest.raises(KeyboardInterrupt):
        Reinforce(make_policy(env), env, QUICK).learn(tmp_path, tensorboard=False)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["episode"] == interrupted_step // 4
    resumed = make_agent()
    resumed.learn(tmp_path, resume=True, tensorboard=False)
    assert torch.equal(weights(whole), weights(resumed))
    assert without_clock(read_rows(tmp_path / "metrics.jsonl")) == without_clock(rows)


def test_ctrl_c_in_the_update_saves_the_policy_from_before_it(tmp_path: Path) -> None:
    agent = make_agent()
    step = agent.optimizer.step

    def interrupted(*arguments: Any) -> Any:
        step()
        if agent.episode == 2:
            raise KeyboardInterrupt

    agent.optimizer.step = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        agent.learn(tmp_path, tensorboard=False)
    resumed, whole = make_agent(), make_agent()
    resumed.learn(tmp_path, resume=True, tensorboard=False)
    whole.learn()
    assert torch.equal(weights(whole), weights(resumed))


def test_a_finished_run_resumes_to_nothing(tmp_path: Path) -> None:
    first = make_agent()
    first.learn(tmp_path, tensorboard=False)
    again = make_agent()
    assert again.learn(tmp_path, resume=True, tensorboard=False) == []
    assert torch.equal(weights(first), weights(again))
    assert len(read_rows(tmp_path / "metrics.jsonl")) == QUICK.episodes


def test_an_environment_without_state_resumes_with_a_new_seed(tmp_path: Path) -> None:
    class Stateless(gymnasium.Wrapper[Any, Any, Any, Any]):
        seeds: list[int | None] = []

        @property
        def unwrapped(self) -> Any:
            return self

        def reset(self, **options: Any) -> Any:
            self.seeds.append(options["seed"])
            return self.env.reset(**options)

    for episodes in (2, 4):
        env = Stateless(PlantedNoiseEnv())
        agent = Reinforce(make_policy(env), env, dataclasses.replace(QUICK, episodes=episodes))
        agent.learn(tmp_path, resume=episodes > 2, tensorboard=False)
    assert Stateless.seeds == [3, None, 5, None]


def test_folder_holds_what_is_documented(tmp_path: Path) -> None:
    seen: list[float] = []
    rows = make_agent().learn(
        tmp_path / "run", tensorboard=False, callback=lambda row: seen.append(row["episode"])
    )
    assert seen == [1, 2, 3, 4, 5, 6]
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoint.pt", "policy.safetensors", "metrics.jsonl", "metrics.csv"}
    assert list(rows[0]) == [
        "episode",
        "time/total_timesteps",
        "time/fps",
        "rollout/ep_rew_mean",
        "rollout/ep_len_mean",
        "rollout/return_audio",
        "rollout/return_visual",
        "train/policy_gradient_loss",
        "train/entropy",
        "train/grad_norm",
        "env/inter_reward",
        "env/removed_audio",
        "env/removed_visual",
        "env/n_reverted",
        "env/terminal_reward",
    ]


def test_unusable_checkpoints_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such checkpoint"):
        make_agent().learn(tmp_path / "empty", resume=True)
    make_agent().learn(tmp_path, tensorboard=False)
    with pytest.raises(InputError, match="a run is in this folder"):
        make_agent().learn(tmp_path)
    with pytest.raises(InputError, match=r"does not fit this policy .*size"):
        make_agent(num_classes=4).learn(tmp_path, resume=True)
    with pytest.raises(InputError, match=r"trained with learning_rate=0\.01, found learning_rate=0\.02"):
        make_agent(dataclasses.replace(QUICK, learning_rate=0.02)).learn(tmp_path, resume=True)
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    del state["optimizer"]
    save_checkpoint(tmp_path / "checkpoint.pt", state)
    with pytest.raises(InputError, match="entry 'optimizer' is missing"):
        make_agent().learn(tmp_path, resume=True)
