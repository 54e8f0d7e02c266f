"""How noisy a policy gradient is, from the gradients of two halves of each batch."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

LARGEST_RELATIVE_VARIANCE = 1000.0
"""Reported where the two halves have nothing in common, so that the estimate would be infinite or negative."""


class GradientNoise:
    """Compares the gradients of the even and of the odd videos, summed over the steps of an update.

    With g and h the two gradients, g + h is the update's. If the halves are independent and alike, the variance of
    g + h (its trace) is estimated without bias by |g - h|^2, and the squared norm of its mean by
    |g + h|^2 - |g - h|^2 = 4 g.h. Both are summed over the updates before they are divided. The variance is that of
    drawing videos and actions. Where a reward is shared by the whole batch, the halves are not quite independent:
    both are multiplied with it, which counts the mean up to twice; the noise it hardly touches.

    Args:
        parameters: of the policy.
    """

    def __init__(self, parameters: Iterable[nn.Parameter]) -> None:
        self.parameters = [parameter for parameter in parameters if parameter.requires_grad]
        size = sum(parameter.numel() for parameter in self.parameters)
        self.halves = torch.zeros(2, size, device=self.parameters[0].device)
        self.products = torch.zeros(2, 2, device=self.halves.device)

    def add_step(self, per_video: Tensor) -> None:
        """Add the gradients of one step to those of the update.

        Args:
            per_video: (B,) contributions of the videos to the objective, with their graph, which is kept.
        """
        for half in range(2):
            parts = torch.autograd.grad(
                per_video[half::2].sum(), self.parameters, retain_graph=True, materialize_grads=True
            )
            self.halves[half] += torch.cat([part.flatten() for part in parts])

    def end_update(self) -> None:
        """Take the gradients of the steps so far as those of one update."""
        self.products += self.halves @ self.halves.T
        self.halves.zero_()

    def metrics(self) -> dict[str, float]:
        """Return what is logged.

        ``train/gradient_cosine`` is the cosine of g and h, in [-1, 1]; ``train/gradient_relative_variance`` is
        |g - h|^2 / (4 g.h), from 0 to `LARGEST_RELATIVE_VARIANCE`. With relative variance v the cosine is about
        1 / (1 + 2 v).
        """
        (first, common), (_, second) = self.products.tolist()
        variance, squared_mean = first + second - 2 * common, 4 * common
        cosine = common / (first * second) ** 0.5 if first * second > 0 else 0.0
        is_finite = squared_mean * LARGEST_RELATIVE_VARIANCE > variance
        return {
            "train/gradient_cosine": cosine,
            "train/gradient_relative_variance": variance / squared_mean
            if is_finite
            else LARGEST_RELATIVE_VARIANCE,
        }
