"""REINFORCE on episodes side by side: its gradient, its learning, and what it plays in."""

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv, VectorWrapper
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from torch import nn

from rlld_agents import HybridAttentionPolicy, ParallelReinforce, ReinforceConfig
from rlld_agents.reinforce.advantage_estimator import AdvantageEstimator
from rlld_agents.runs.log import read_rows
from rlld_gym.envs.planted_noise import PlantedNoiseEnv
from rlld_gym.errors import InputError
from tests.agents.reinforce_runs import weights, without_clock

K = 3
QUICK = ReinforceConfig(episodes=4 * K, learning_rate=1e-2, seed=3)
DENOISING = {"data": "twin-tiny", "batch_size": 8, "episode_length": 2, "hidden_size": 8, "recipe": "compact"}


def planted(number: int = K, mode: AutoresetMode = AutoresetMode.NEXT_STEP, **options: Any) -> Any:
    return SyncVectorEnv([lambda: PlantedNoiseEnv(**options)] * number, autoreset_mode=mode)


def make_agent(envs: Any, config: ReinforceConfig = QUICK, **options: Any) -> ParallelReinforce:
    policy = HybridAttentionPolicy.for_spaces(
        envs.single_observation_space, envs.single_action_space, hidden_size=16, **options
    )
    return ParallelReinforce(policy, envs, config)


class Recorder(VectorWrapper):
    """Keeps what went in and out, for the reference."""

    def __init__(self, envs: VectorEnv) -> None:
        super().__init__(envs)
        self.steps: list[dict[str, Any]] = []

    def reset(self, **options: Any) -> Any:
        self.before = self.env.reset(**options)
        return self.before

    def step(self, actions: Any) -> Any:
        result = self.env.step(actions)
        observations, infos = self.before
        self.steps.append(
            {"observations": observations, "mask": infos["action_mask"], "actions": actions.copy()}
            | {"audio": result[4]["reward_audio"], "visual": result[4]["reward_visual"], "reward": result[1]}
        )
        self.before = result[0], result[4]
        return result


# --------------------------------------------------------------------------- the gradient


@pytest.mark.parametrize("branch_rewards", [True, False])
def test_gradient_equals_the_sum_over_rollouts_of_return_less_mean_of_the_others(
    branch_rewards: bool,
) -> None:
    envs = Recorder(planted(episode_length=4))
    config = dataclasses.replace(QUICK, episodes=K, branch_rewards=branch_rewards)
    agent = make_agent(envs, config)
    naive = make_agent(planted()).policy  # the same weights, untrained
    row = agent.learn()[0]

    names = ("audio", "visual") if branch_rewards else ("reward", "reward")
    branch_returns = [[sum(step[name][k] for step in envs.steps) for name in names] for k in range(K)]
    objective = torch.zeros(())
    for k in range(K):
        for branch in range(2):
            others = [branch_returns[j][branch] for j in range(K) if j != k]
            advantage = branch_returns[k][branch] - sum(others) / len(others)
            assert abs(advantage) > 1e-3
            for step in envs.steps:
                features = (torch.as_tensor(step["observations"][name][k]) for name in ("audio", "visual"))
                bernoulli = torch.distributions.Bernoulli(logits=naive(*features)[:, branch])
                log_pi = bernoulli.log_prob(torch.as_tensor(step["actions"][k][:, branch]).float())
                objective = objective + advantage * log_pi[step["mask"][k][:, branch] == 2].sum()
    (-objective / (K * 4)).backward()  # means over episodes and steps
    found, expected = (
        torch.cat([p.grad.flatten() for p in policy.parameters() if p.grad is not None])
        for policy in (agent.policy, naive)
    )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    assert row["train/grad_norm"] == pytest.approx(expected.norm().item(), rel=1e-3)


@pytest.mark.parametrize("reward_to_go", [False, True])
def test_advantages_are_returns_less_the_mean_of_the_others(reward_to_go: bool) -> None:
    rewards = np.random.default_rng(0).random((4, 5, 2))
    config = ReinforceConfig(reward_to_go=reward_to_go)
    found = AdvantageEstimator(config).of_rollouts(torch.tensor(rewards)).numpy()
    for k in range(4):
        for n in range(5):
            gains = rewards[:, n if reward_to_go else 0 :].sum(1)
            np.testing.assert_allclose(found[k, n], gains[k] - np.delete(gains, k, 0).mean(0))


def test_equal_returns_teach_nothing() -> None:
    """Also where the return is large, which without a baseline is all that the gradient shows."""
    rewards = torch.full((K, 2, 2), 14.0, dtype=torch.float64)
    assert AdvantageEstimator(ReinforceConfig()).of_rollouts(rewards).abs().max() == 0


# --------------------------------------------------------------------------- learning


@pytest.mark.long
def test_planted_noise_is_learned() -> None:
    """The best mean reward is 1. Three other seeds reach .90 to .93 in 450 episodes."""
    config = ReinforceConfig(episodes=440, learning_rate=1e-2)
    rewards = [
        row["rollout/ep_rew_mean"] / 3 for row in make_agent(planted(4, episode_length=3), config).learn()
    ]
    assert np.mean(rewards[:5]) < 0.3
    assert np.mean(rewards[-10:]) >= 0.75


# --------------------------------------------------------------------------- runs


def test_runs_repeat_and_differ_by_their_seed() -> None:
    state = torch.get_rng_state()
    first, second = make_agent(planted()), make_agent(planted())
    rows, again = first.learn(), second.learn()
    assert torch.equal(weights(first), weights(second))
    assert without_clock(rows) == without_clock(again)
    other = make_agent(planted(), dataclasses.replace(QUICK, seed=4))
    other.learn()
    assert not torch.equal(weights(first), weights(other))
    assert torch.equal(state, torch.get_rng_state())


def test_rows_count_the_episodes_of_all_environments_and_average_them() -> None:
    envs = Recorder(planted(episode_length=4))
    rows = make_agent(envs, dataclasses.replace(QUICK, episodes=K + 1)).learn()
    assert [row["episode"] for row in rows] == [K, 2 * K]
    assert [row["time/total_timesteps"] for row in rows] == [4 * K, 8 * K]
    assert rows[1]["rollout/ep_len_mean"] == 4
    assert rows[1]["rollout/ep_rew_mean"] == pytest.approx(
        sum(step["reward"].sum() for step in envs.steps[4:]) / K
    )
    assert rows[1]["rollout/return_audio"] == pytest.approx(
        sum(step["audio"].sum() for step in envs.steps[4:]) / K
    )


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_autoreset_mode_gives_the_same_first_update(mode: AutoresetMode) -> None:
    config = dataclasses.replace(QUICK, episodes=K)
    agent, expected = make_agent(planted(mode=mode), config), make_agent(planted(), config)
    assert without_clock(agent.learn()) == without_clock(expected.learn())
    assert torch.equal(weights(agent), weights(expected))
    more = make_agent(planted(mode=mode))
    assert len(more.learn()) == 4


def test_wrapped_environments_do() -> None:
    agent, expected = make_agent(RecordEpisodeStatistics(planted())), make_agent(planted())
    assert without_clock(agent.learn()) == without_clock(expected.learn())


def test_a_run_goes_on_from_its_folder(tmp_path: Path) -> None:
    half = make_agent(planted(), dataclasses.replace(QUICK, episodes=2 * K))
    half.learn(tmp_path, tensorboard=False)
    resumed = make_agent(planted())
    resumed.learn(tmp_path, resume=True, tensorboard=False)
    rows = read_rows(tmp_path / "metrics.jsonl")
    assert [row["episode"] for row in rows] == [K, 2 * K, 3 * K, 4 * K]
    assert not torch.equal(weights(half), weights(resumed))
    assert (tmp_path / "policy.safetensors").exists()
    with pytest.raises(InputError, match="a run is in this folder already"):
        make_agent(planted()).learn(tmp_path, tensorboard=False)


# --------------------------------------------------------------------------- label denoising


def stacked(**options: Any) -> Any:
    return gymnasium.make_vec("rlld/LabelDenoisingStacked-v0", num_envs=K, **DENOISING, **options)


def separate(**options: Any) -> Any:
    return gymnasium.make_vec(
        "rlld/LabelDenoising-v0", num_envs=K, vectorization_mode="sync", **DENOISING, **options
    )


def test_stacked_and_separate_environments_with_equal_returns_give_equal_updates() -> None:
    """Without the validation scores, returns are decided by the actions alone, to the last bit."""
    agents = [make_agent(make(terminal_scale=0.0)) for make in (stacked, separate)]
    rows = [agent.learn() for agent in agents]
    assert torch.equal(weights(agents[0]), weights(agents[1]))
    for ours, theirs in zip(*rows, strict=True):
        assert ours["rollout/return_visual"] == theirs["rollout/return_visual"]
        assert ours["train/grad_norm"] == theirs["train/grad_norm"] > 0
        assert ours.keys() == theirs.keys()


def test_stacked_and_separate_environments_give_the_same_scores_up_to_rounding() -> None:
    config = dataclasses.replace(QUICK, episodes=K)
    ours, theirs = (make_agent(make(), config).learn()[0] for make in (stacked, separate))
    assert ours["env/segment_visual"] == pytest.approx(theirs["env/segment_visual"], abs=0.5)
    assert ours["rollout/return_audio"] == pytest.approx(theirs["rollout/return_audio"], abs=0.05)


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("envs", "config", "message"),
    [
        (
            lambda: planted(1),
            QUICK,
            "leave-one-out needs at least two environments .* found 1; raise num_envs",
        ),
        (PlantedNoiseEnv, QUICK, "leave-one-out needs at least two environments"),
        (
            lambda: gymnasium.make_vec("rlld/PlantedNoisePerVideo-v0", num_envs=4),
            QUICK,
            r"actions of shape \(6,\), expected \(B, 2, C\)",
        ),
        (
            lambda: SyncVectorEnv([PlantedNoiseEnv] * 2, copy=False),
            QUICK,
            "views that its next step overwrites",
        ),
        (planted, ReinforceConfig(baseline="ema"), "option baseline: found ema, expected none"),
        (planted, ReinforceConfig(advantage="video"), "option advantage: found video, expected episode"),
    ],
)
def test_what_leaves_nothing_to_compare_is_an_input_error(
    envs: Any, config: ReinforceConfig, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        ParallelReinforce(nn.Linear(1, 1), envs(), config)


def test_episodes_that_do_not_end_together_are_an_input_error() -> None:
    envs = SyncVectorEnv([lambda: PlantedNoiseEnv(episode_length=2), PlantedNoiseEnv])
    with pytest.raises(InputError, match="1 of 2 episodes ended after 2 steps"):
        make_agent(envs).learn()
