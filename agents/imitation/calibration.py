"""Class-prior calibration: removal probabilities whose mean is the share of labels that is wrong."""

import torch
from torch import Tensor

NEWTON_STEPS = 20
"""More than enough for a concave objective; a step is at most one unit of log-odds."""


def class_shifts(logits: Tensor, absent: Tensor, present: Tensor, prior_deviation: float) -> Tensor:
    """Return what to add to log-odds of removal so that their rates become those of the videos.

    The most probable shifts under the labels' Bernoulli likelihood: one for each modality, which is free, plus one
    for each of its classes, drawn to zero by a normal prior. Where a class has many labels, the mean removal
    probability of its labels becomes the share of them that is wrong; where it has few, the class follows its
    modality. (Logistic regression on an offset, with a random intercept for each class.)

    Args:
        logits: (V, 2, C) float, removal log-odds of videos that their policies did not learn from.
        absent: (V, 2, C) bool or float, whether the modality lacks the class.
        present: (V, C) bool or float, the weak labels; no other entry counts.
        prior_deviation: standard deviation of the classes' shifts, in log-odds; 0: only the modalities'.

    Returns:
        (2, C) float32, on the CPU. 0 in a modality that cannot tell: all its labels are wrong, or none is.
    """
    # On the CPU, in double precision, which not every device has, and only where there is a label: few numbers.
    rows, classes = (present.cpu() > 0).nonzero(as_tuple=True)
    offset = logits.detach().cpu()[rows, :, classes].double()
    wrong = absent.cpu()[rows, :, classes].double()
    known = ((wrong.sum(0) > 0) & (wrong.sum(0) < len(wrong))).double().unsqueeze(1)
    common = torch.zeros(2, 1, dtype=torch.float64)
    own = torch.zeros(2, logits.shape[2], dtype=torch.float64)
    variance = prior_deviation**2

    def derivatives() -> tuple[Tensor, Tensor]:
        """Return gradient and negative curvature of the log-likelihood along each class's shift, (2, C) each."""
        probability = (offset + (common + own)[:, classes].T).sigmoid()
        sums = [
            torch.zeros_like(own).index_add_(1, classes, values.T)
            for values in (wrong - probability, probability * (1 - probability))
        ]
        return sums[0], sums[1]

    for _ in range(NEWTON_STEPS):
        # Newton on both at once: the classes' steps are eliminated, and multiplied by the variance, which may be 0.
        gradient, curvature = derivatives()
        shrunk = 1 / (variance * curvature + 1)
        pull = (variance * gradient - own) * shrunk
        step = (gradient - curvature * pull).sum(1) / (curvature * shrunk).sum(1).clamp(min=1e-9)
        step = step.clamp(-1, 1).unsqueeze(1)
        common = common + step
        own = own + (pull - variance * curvature * shrunk * step).clamp(-1, 1)
    return ((common + own) * known).float()
