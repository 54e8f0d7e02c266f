"""REINFORCE: its gradient, that it learns what can be learned, and that runs can be repeated and resumed."""

import dataclasses
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlld_agents import Reinforce, ReinforceConfig
from rlld_agents.reinforce.advantage_estimator import AdvantageEstimator
from rlld_agents.reinforce.episode import returns
from rlld_gym.envs.planted_noise import PlantedNoiseEnv
from rlld_gym.errors import InputError
from tests.agents.reinforce_runs import QUICK, make_agent, make_policy, weights, without_clock

# --------------------------------------------------------------------------- the gradient


@pytest.mark.parametrize("to_go", [False, True])
@pytest.mark.parametrize("discount", [1.0, 0.5, 0.0])
def test_returns_equal_the_double_sum(to_go: bool, discount: float) -> None:
    rewards = torch.tensor(np.random.default_rng(0).random((5, 2)))
    start = [step if to_go else 0 for step in range(5)]
    expected = [sum(discount ** (k - s) * rewards[k].numpy() for k in range(s, 5)) for s in start]
    torch.testing.assert_close(
        returns(rewards, to_go, discount), torch.stack([torch.as_tensor(e) for e in expected])
    )


class LinearPolicy(nn.Module):
    """Logit of a bit: one weight per branch and class times the mean of the class's feature."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((2, num_classes), 0.3))

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        num_classes = self.weight.shape[1]
        return torch.stack([audio, visual], 1)[..., :num_classes].mean(2) * self.weight


class Recorder(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Keeps what went in and out, for the reference."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.steps: list[dict[str, Any]] = []

    def reset(self, **options: Any) -> Any:
        self.observation, info = self.env.reset(**options)
        self.mask = info["action_mask"]
        return self.observation, info

    def step(self, action: Any) -> Any:
        before = {"observation": self.observation, "mask": self.mask, "action": action.copy()}
        result = self.env.step(action)
        self.steps.append(before | {"reward": result[1], "info": result[4]})
        self.observation, self.mask = result[0], result[4]["action_mask"]
        return result


@pytest.mark.parametrize("episode_length", [1, 3])
@pytest.mark.parametrize("branch_rewards", [True, False])
def test_gradient_equals_the_score_function_by_hand(episode_length: int, branch_rewards: bool) -> None:
    """d log pi / d w = (a - p) x for a bit with logit w x; Eq. 15 weights it with the branch's return."""
    env = Recorder(PlantedNoiseEnv(episode_length=episode_length))
    policy = LinearPolicy(3)
    agent = Reinforce(policy, env, ReinforceConfig(episodes=1, branch_rewards=branch_rewards))
    before = policy.weight.detach().numpy().copy()
    row = agent.learn()[0]

    keys = ("reward_audio", "reward_visual")
    branch_return = sum(
        np.array([step["info"][key] if branch_rewards else step["reward"] for key in keys])
        for step in env.steps
    )
    gradient = np.zeros((2, 3))
    for step in env.steps:
        x = np.stack([step["observation"][name] for name in ("audio", "visual")], 1)[..., :3].mean(2)
        p = 1 / (1 + np.exp(-x * before))
        score = np.where(step["mask"] == 2, (step["action"] - p) * x, 0).sum(0)
        gradient += branch_return[:, None] * score / episode_length
    assert policy.weight.grad is not None
    np.testing.assert_allclose(policy.weight.grad.numpy(), -gradient, rtol=1e-4, atol=1e-5)
    assert row["train/grad_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-4)


def test_the_moving_average_of_earlier_returns_is_subtracted() -> None:
    estimator = AdvantageEstimator(ReinforceConfig(baseline="ema", baseline_decay=0.5))
    first, second, third = (
        torch.tensor([[r, 2 * r], [r, 2 * r]], dtype=torch.float64) for r in (1.0, 3.0, 5.0)
    )
    assert estimator.of_episode(first).tolist() == [[0, 0], [0, 0]]  # returns 2, 4
    assert estimator.of_episode(second).tolist() == [[4, 8], [4, 8]]  # returns 6, 12 against 2, 4
    assert estimator.of_episode(third).tolist() == [[6, 12], [6, 12]]  # returns 10, 20 against 4, 8


def test_a_baseline_per_step_follows_episodes_of_other_lengths() -> None:
    estimator = AdvantageEstimator(ReinforceConfig(baseline="ema", reward_to_go=True))
    for length in (3, 5, 2):
        assert estimator.of_episode(torch.ones(length, 2, dtype=torch.float64)).shape == (length, 2)


def test_gradient_clipping_and_entropy_bonus() -> None:
    clipped = make_agent(ReinforceConfig(episodes=1, max_gradient_norm=0.01))
    clipped.learn()
    norm = nn.utils.get_total_norm([p.grad for p in clipped.policy.parameters() if p.grad is not None])
    assert norm.item() == pytest.approx(0.01, rel=1e-3)
    options = {"episodes": 40, "learning_rate": 1e-2}
    plain, bonus = (
        make_agent(ReinforceConfig(**options, entropy_coefficient=weight)).learn()[-1]["train/entropy"]
        for weight in (0.0, 100.0)
    )
    assert bonus > max(plain, 0.6)  # log 2 = 0.69 is the most


def test_fixed_bits_never_enter_the_gradient() -> None:
    """Bits of absent labels keep the mask's value, and a class that is never present gets no gradient."""

    class NeverPresent(PlantedNoiseEnv):
        def _draw(self) -> Any:
            observation = super()._draw()
            self.present[:, :, 2] = False
            return observation

    env = Recorder(NeverPresent())
    policy = LinearPolicy(3)
    Reinforce(policy, env, ReinforceConfig(episodes=2, entropy_coefficient=0.1)).learn()
    assert all((step["action"][step["mask"] != 2] == 0).all() for step in env.steps)
    assert policy.weight.grad is not None
    assert (policy.weight.grad[:, 2] == 0).all()
    assert (policy.weight.grad[:, :2] != 0).all()


class Bare(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Says nothing but the reward."""

    def reset(self, **options: Any) -> Any:
        return self.env.reset(**options)[0], {}

    def step(self, action: Any) -> Any:
        return *self.env.step(action)[:4], {}


def test_an_environment_without_mask_and_branch_rewards_is_enough() -> None:
    env = Bare(PlantedNoiseEnv())
    row = Reinforce(make_policy(env), env, ReinforceConfig(episodes=1)).learn()[0]
    assert row["rollout/return_audio"] == row["rollout/return_visual"] == row["rollout/ep_rew_mean"]


def test_a_gradient_that_is_not_finite_stops_the_run() -> None:
    class Broken(gymnasium.RewardWrapper[Any, Any]):
        def reward(self, reward: Any) -> float:
            return float("nan")

    env = Broken(Bare(PlantedNoiseEnv()))
    with pytest.raises(RuntimeError, match=r"episode 1: .* nan"):
        Reinforce(make_policy(env), env, QUICK).learn()


# --------------------------------------------------------------------------- learning


def greedy_share(agent: Reinforce, env: PlantedNoiseEnv) -> float:
    """Return the mean reward of the most probable actions in ten episodes; the best is 1."""
    rewards: list[float] = []
    for episode in range(10):
        observation, info = env.reset(seed=100 + episode)
        done = False
        while not done:
            with torch.no_grad():
                logits = agent.policy(*(torch.from_numpy(observation[name]) for name in ("audio", "visual")))
            action = (logits.numpy() > 0) & (info["action_mask"] == 2)
            observation, reward, done, _, info = env.step(action.astype(np.int8))
            rewards.append(float(reward))
    return float(np.mean(rewards))


# Bounds from twelve other seeds: the last 20 episodes reach .89 +- .08 with the return of the episode, .92 +- .02
# with the reward of the step; the best policy's is 1.
@pytest.mark.parametrize(
    ("config", "reached", "greedy"),
    [
        pytest.param(
            ReinforceConfig(episodes=400, learning_rate=5e-3, baseline="ema"),
            0.75,
            0.8,
            marks=pytest.mark.long,
            id="return of the episode",
        ),
        pytest.param(
            ReinforceConfig(
                episodes=200, learning_rate=5e-3, baseline="ema", reward_to_go=True, discount=0.0
            ),
            0.86,
            0.95,
            id="reward of the step",
        ),
    ],
)
def test_planted_noise_is_learned(config: ReinforceConfig, reached: float, greedy: float) -> None:
    agent = make_agent(config, episode_length=3)
    rewards = [row["rollout/ep_rew_mean"] / 3 for row in agent.learn()]
    assert np.mean(rewards[:5]) < 0.3
    assert np.mean(rewards[-20:]) >= reached
    assert greedy_share(agent, PlantedNoiseEnv(episode_length=3)) >= greedy


# --------------------------------------------------------------------------- runs


def test_runs_repeat_and_leave_the_global_generators_alone() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1]  # noqa: NPY002
    first, second = make_agent(), make_agent()
    rows, again = first.learn(), second.learn()
    assert torch.equal(weights(first), weights(second))
    assert without_clock(rows) == without_clock(again)
    other = make_agent(dataclasses.replace(QUICK, seed=4))
    other.learn()
    assert not torch.equal(weights(first), weights(other))
    assert torch.equal(torch_state, torch.get_rng_state())
    np.testing.assert_array_equal(numpy_state, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("episodes", 0),
        ("learning_rate", 0.0),
        ("discount", 1.5),
        ("baseline", "mean"),
        ("max_gradient_norm", 0.0),
    ],
)
def test_options_that_make_no_sense_are_input_errors(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"option {name}: found {value}"):
        ReinforceConfig(**{name: value})


def test_paper_preset_is_the_default() -> None:
    config = ReinforceConfig()
    assert (config.learning_rate, config.baseline, config.discount) == (1e-4, "none", 1.0)
    assert config.branch_rewards
    assert not config.reward_to_go
    assert (config.entropy_coefficient, config.max_gradient_norm) == (0.0, None)


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    make_agent().learn(progress=True)
    captured = capsys.readouterr()
    assert "6 of 6" in captured.err
    assert captured.out == ""
