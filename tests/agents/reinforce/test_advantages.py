"""Advantages: every way to share a reward has the same expected gradient, and sharing costs variance."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rlld_agents import Reinforce, ReinforceConfig
from rlld_agents.reinforce.advantages import (
    BASELINES,
    Advantage,
    Outcome,
    expected_rewards,
    leave_one_out,
    mean_per_branch,
    pooled,
    shared_rewards,
    spread,
)
from rlld_agents.reinforce.episode import Step
from rlld_gym.envs.planted_noise import PlantedNoiseEnv
from rlld_gym.errors import InputError

COMBINATIONS = [(level, baseline) for level, names in BASELINES.items() for baseline in names]

# --------------------------------------------------------------------------- expectation, by enumeration

MASK = np.array([[[2, 2], [2, 0]], [[2, 0], [0, 2]], [[0, 0], [2, 2]]], np.int8)  # 7 free bits of 3 videos
CREDIT = (np.random.default_rng(1).normal(0, 1, MASK.shape) * (MASK == 2)).astype(np.float32)
FEATURE = np.random.default_rng(2).normal(0, 1, MASK.shape).astype(np.float32)


class TabularPolicy(nn.Module):
    """Logit of a bit: its feature times a weight of its branch and class."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[0.5, -0.4], [0.8, -1.2]]))

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        return torch.stack([audio, visual], 1).mean(2) * self.weight


def step_with(action: np.ndarray) -> Step:
    observation = {name: FEATURE[:, None, branch] for branch, name in enumerate(("audio", "visual"))}
    audio, visual = ((CREDIT * action).sum((0, 2))).tolist()
    info = {"label_credit": CREDIT}
    return Step(observation, torch.from_numpy(MASK), torch.from_numpy(action), (audio, visual), 0.0, info)


def all_actions() -> list[np.ndarray]:
    free = np.argwhere(MASK == 2)
    actions = []
    for bits in itertools.product((0, 1), repeat=len(free)):
        action = np.zeros_like(MASK)
        action[tuple(free.T)] = bits
        actions.append(action)
    return actions


def probability_of_removal() -> np.ndarray:
    weight = TabularPolicy().weight.detach().numpy()
    return np.where(MASK == 2, 1 / (1 + np.exp(-FEATURE * weight)), 0).astype(np.float64)


def gradients(**options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient for each action, as the agent finds it, and the actions' probabilities."""
    agent = Reinforce(TabularPolicy(), PlantedNoiseEnv(), ReinforceConfig(**options))
    agent.optimizer = torch.optim.SGD(agent.policy.parameters(), lr=0.0)  # type: ignore[assignment]
    removal = probability_of_removal()
    found, probabilities = [], []
    for action in all_actions():
        if agent.config.baseline == "ema":
            average = torch.tensor([0.3, -0.7])
            agent.advantages.average = average[None] if agent.config.advantage == "episode" else average
        agent._update([step_with(action)], None)
        assert isinstance(agent.policy.weight, nn.Parameter)
        assert agent.policy.weight.grad is not None
        found.append(-agent.policy.weight.grad.numpy().copy())
        probabilities.append(np.where(action == 1, removal, 1 - removal).prod())
    return np.array(found, np.float64), np.array(probabilities)


def exact_gradient() -> np.ndarray:
    """d/dw of the sum of c p(w x): c p (1 - p) x."""
    removal = probability_of_removal()
    exact: np.ndarray = (CREDIT * removal * (1 - removal) * FEATURE).sum(0)
    return exact


@pytest.mark.parametrize(("advantage", "baseline"), COMBINATIONS)
def test_the_expected_gradient_is_the_exact_one(advantage: str, baseline: str) -> None:
    found, probabilities = gradients(advantage=advantage, baseline=baseline)
    assert probabilities.sum() == pytest.approx(1)
    expected = (probabilities[:, None, None] * found).sum(0)
    np.testing.assert_allclose(expected, exact_gradient(), atol=1e-5)


@pytest.mark.parametrize("advantage", ["step", "video"])
def test_a_reward_shared_by_the_branches_is_their_mean(advantage: str) -> None:
    found, probabilities = gradients(advantage=advantage, baseline="expected", branch_rewards=False)
    expected = (probabilities[:, None, None] * found).sum(0)
    np.testing.assert_allclose(expected, exact_gradient() / 2, atol=1e-5)


def test_the_optimal_baseline_leaves_no_variance() -> None:
    found, _ = gradients(advantage="label", baseline="optimal")
    np.testing.assert_allclose(found, np.broadcast_to(exact_gradient(), found.shape), atol=1e-5)


# --------------------------------------------------------------------------- variance


def sampled_gradients(advantage: Advantage, with_baseline: bool, steps: int = 4) -> np.ndarray:
    """Return gradients with respect to the logits, one for each of 400 sampled episodes of ``steps`` steps."""
    generator = torch.Generator().manual_seed(0)
    probability = torch.rand((steps, 8, 2, 3), generator=generator) * 0.6 + 0.1
    credit = torch.randn(probability.shape, generator=generator)
    found = []
    for _ in range(400):
        removed = torch.rand(probability.shape, generator=generator) < probability
        advantages = []
        for step in range(steps):
            outcome = Outcome(removed[step], torch.zeros(2), None, credit[step])
            reward = pooled(torch.where(removed[step], credit[step], 0.0), advantage)
            if with_baseline:
                reward = reward - expected_rewards(outcome, probability[step], advantage)
            advantages.append(spread(reward, advantage).expand(8, 2, 3))
        weights = torch.stack(advantages)
        if advantage == "episode":
            weights = weights.sum(0, keepdim=True).expand_as(weights)
        found.append(((removed.float() - probability) * weights).flatten())
    return torch.stack(found).numpy()


def test_variance_grows_with_the_number_of_bits_that_share_a_reward() -> None:
    levels: tuple[Advantage, ...] = ("label", "video", "step", "episode")
    for with_baseline in (True, False):
        samples = {level: sampled_gradients(level, with_baseline) for level in levels}
        variances = [samples[level].var(0).sum() for level in levels]
        assert all(later > 1.5 * earlier for earlier, later in itertools.pairwise(variances)), variances
        means = [samples[level].mean(0) for level in levels]
        for mean, variance in zip(means[1:], variances[1:], strict=True):
            assert ((mean - means[0]) ** 2).sum() < 3 * variance / 400
    for level in ("video", "step", "episode"):
        with_it, without = (sampled_gradients(level, flag).var(0).sum() for flag in (True, False))
        assert with_it < without


# --------------------------------------------------------------------------- single functions


def test_leave_one_out_equals_the_mean_over_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    counted = torch.rand((4, 2, 3), generator=generator) < 0.6
    rewards = torch.randn(counted.shape, generator=generator) * counted
    found = leave_one_out(rewards, counted)
    for video, branch, label in itertools.product(range(4), range(2), range(3)):
        if counted[video, branch, label]:
            others = counted[:, branch].clone()
            others[video, label] = False
            expected = rewards[:, branch][others].mean()
            torch.testing.assert_close(found[video, branch, label], expected)
    per_video = rewards.sum(2)
    everything = torch.ones_like(per_video, dtype=torch.bool)
    torch.testing.assert_close(leave_one_out(per_video, everything)[1], per_video[[0, 2, 3]].mean(0))
    torch.testing.assert_close(mean_per_branch(rewards, counted)[0], rewards[:, 0][counted[:, 0]].mean())
    with pytest.raises(InputError, match="found a batch of 1 video"):
        leave_one_out(per_video[:1], everything[:1])


def test_rewards_without_credit_are_those_that_the_environment_pays() -> None:
    branch, per_video = torch.tensor([1.0, 2.0]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    outcome = Outcome(torch.ones(2, 2, 3, dtype=torch.bool), branch, per_video)
    assert shared_rewards(outcome, "step") is branch
    assert shared_rewards(outcome, "video") is per_video
    for wanted in (
        lambda: shared_rewards(outcome, "label"),
        lambda: shared_rewards(outcome._replace(per_video=None), "video"),
        lambda: expected_rewards(outcome, torch.ones(2, 2, 3), "video"),
    ):
        with pytest.raises(InputError, match=r"found no label_credit .* reward="):
            wanted()
