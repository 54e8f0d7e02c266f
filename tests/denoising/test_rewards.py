import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rlld_gym.denoising.labels import revise_labels
from rlld_gym.denoising.rewards import branch_rewards, inter_reward, terminal_rewards


def naive_inter_reward(original, revised, weights=(0.6, 0.4), epsilon=0.1):
    """Equation 9, term by term, for one video."""

    def distribution(labels):
        smoothed = [(1 - epsilon) * float(label) + epsilon / 2 for label in labels]
        return [value / sum(smoothed) for value in smoothed]

    def divergence(first, second):
        return sum(p * math.log(p / q) for p, q in zip(first, second, strict=True))

    def norm(values):
        return math.sqrt(sum(value * value for value in values))

    soft, target = distribution(original), distribution(revised)
    first = math.exp(-(divergence(soft, target) + divergence(target, soft)) / 2)
    second = sum(p * q for p, q in zip(soft, target, strict=True)) / (norm(soft) * norm(target))
    return weights[0] * first + weights[1] * second


@st.composite
def labels_and_actions(draw):
    batch, classes = draw(st.tuples(st.integers(1, 5), st.integers(1, 6)))
    return (
        torch.from_numpy(draw(hnp.arrays(bool, (batch, classes)))),
        torch.from_numpy(draw(hnp.arrays(bool, (batch, 2, classes)))),
    )


@given(case=labels_and_actions(), epsilon=st.floats(0.01, 0.9))
def test_inter_reward_equals_the_equation(case, epsilon):
    original, actions = case
    revised = original & ~actions[:, 0]
    found = inter_reward(original.double(), revised.double(), (0.6, 0.4), epsilon)
    expected = [
        naive_inter_reward(before, after, (0.6, 0.4), epsilon)
        for before, after in zip(original.tolist(), revised.tolist(), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert (found > 0).all()
    assert (found <= 1 + 1e-12).all()


@given(case=labels_and_actions(), empty_rule=st.sampled_from(["video", "modality"]))
def test_branch_rewards_are_equation_9_or_minus_one(case, empty_rule):
    original, actions = case
    revision = revise_labels(original, original, actions, empty_rule)
    found = branch_rewards(original, revision)
    for video in range(len(original)):
        for branch, revised in enumerate((revision.audio, revision.visual)):
            expected = naive_inter_reward(original[video].tolist(), revised[video].tolist())
            if revision.reverted[video, branch]:
                expected = -1.0
            assert found[video, branch].item() == pytest.approx(expected, abs=1e-5)


def test_nothing_removed_is_worth_one_and_more_removed_is_worth_less():
    original = torch.tensor([[1.0, 1, 1, 0]]).repeat(3, 1)
    revised = torch.tensor([[1.0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]])
    rewards = inter_reward(original, revised)
    assert rewards[0].item() == pytest.approx(1.0)
    assert rewards[0] > rewards[1] > rewards[2] > 0


def test_terminal_rewards_pay_segment_audio_and_event_visual():
    scores = {"segment_audio": 30.0, "segment_visual": 1.0, "event_audio": 2.0, "event_visual": 20.0}
    assert terminal_rewards(scores, 0.1) == pytest.approx((3.0, 2.0))
