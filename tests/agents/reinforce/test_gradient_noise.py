"""The estimate of a gradient's noise against variances that are known."""

import pytest
import torch
from torch import nn

from rlld_agents.reinforce.gradient_noise import LARGEST_RELATIVE_VARIANCE, GradientNoise


def estimate(mean: float, updates: int = 2000, videos: int = 6, size: int = 5) -> dict[str, float]:
    """Gradients of the videos are independent, normal, with this mean and variance 1 in each coordinate."""
    generator = torch.Generator().manual_seed(0)
    parameter = nn.Parameter(torch.zeros(size))
    noise = GradientNoise([parameter])
    for _ in range(updates):
        for _ in range(2):  # steps of an update
            noise.add_step((torch.randn((videos, size), generator=generator) + mean) @ parameter)
        noise.end_update()
    assert parameter.grad is None
    return noise.metrics()


@pytest.mark.parametrize("mean", [0.3, 1.0])
def test_the_relative_variance_is_that_of_the_gradient(mean: float) -> None:
    """A gradient is a sum of 12: variance 12 a coordinate, squared mean (12 mean)^2."""
    metrics = estimate(mean)
    expected = 12 / (12 * mean) ** 2
    assert metrics["train/gradient_relative_variance"] == pytest.approx(expected, rel=0.1)
    assert metrics["train/gradient_cosine"] == pytest.approx(1 / (1 + 2 * expected), rel=0.05)


def test_pure_noise_and_a_single_video_give_finite_numbers() -> None:
    metrics = estimate(0.0, updates=20)
    assert abs(metrics["train/gradient_cosine"]) < 0.3
    assert 5 < metrics["train/gradient_relative_variance"] <= LARGEST_RELATIVE_VARIANCE
    alone = estimate(1.0, updates=2, videos=1)
    assert alone == {
        "train/gradient_cosine": 0.0,
        "train/gradient_relative_variance": LARGEST_RELATIVE_VARIANCE,
    }
