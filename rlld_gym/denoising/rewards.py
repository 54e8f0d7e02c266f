"""The rewards of label denoising: what a revision changes, what it removes, how good the task network becomes."""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from rlld_gym.denoising.labels import Revision, soft_labels

REVERTED_REWARD: Final = -1.0
"""Reward of a branch whose removal was undone because no label would have been left."""

TERMINAL_SCORES: Final = ("segment_audio", "event_visual")
"""Validation F-scores that pay the audio and the visual branch."""

INTER_WEIGHTS: Final = (0.6, 0.4)
"""Weights of the divergence and of the cosine term of the inter-reward, as in the paper (Eq. 9)."""


def inter_reward(
    original: Tensor, revised: Tensor, weights: tuple[float, float] = INTER_WEIGHTS, epsilon: float = 0.1
) -> Tensor:
    """Return how close revised labels are to the original ones.

    Eq. 9 of RLLD (arXiv 2412.19563): weights[0] * exp(-(KL(o, r) + KL(r, o)) / 2) + weights[1] * cosine(o, r)
    of the smoothed labels o (original) and r (revised).

    Args:
        original: (..., C) noisy labels as the data set gives them, 0 or 1.
        revised: (..., C) labels after the action, 0 or 1.
        weights: of the divergence term and of the cosine term.
        epsilon: smoothing of both, see `rlld_gym.denoising.labels.soft_labels`.

    Returns:
        (...,) floating point; the sum of the weights where nothing was removed, less elsewhere.
    """
    before, after = soft_labels(original, epsilon), soft_labels(revised, epsilon)
    # KL(o, r) + KL(r, o) = sum (o - r) (log o - log r)
    divergence = ((before - after) * (before.log() - after.log())).sum(dim=-1)
    cosine = torch.cosine_similarity(before, after, dim=-1)
    return weights[0] * torch.exp(-divergence / 2) + weights[1] * cosine


def branch_rewards(
    original: Tensor, revision: Revision, weights: tuple[float, float] = INTER_WEIGHTS, epsilon: float = 0.1
) -> Tensor:
    """Return each video's inter-reward in the audio and in the visual branch.

    Args:
        original: (B, C) noisy video labels of the data set, 0 or 1; both branches start from them.
        revision: result of `rlld_gym.denoising.labels.revise_labels`.
        weights: of the two terms of Eq. 9.
        epsilon: smoothing of the labels in Eq. 9.

    Returns:
        (B, 2) floating point: Eq. 9, or -1 where the branch was reverted.
    """
    revised = torch.stack((revision.audio, revision.visual), dim=1)
    rewards = inter_reward(original.unsqueeze(1).expand_as(revised), revised, weights, epsilon)
    return rewards.masked_fill(revision.reverted, REVERTED_REWARD)


def credit_rewards(credit: Tensor, shown: Tensor, revision: Revision, scale: float) -> Tensor:
    """Return what each video earns in either branch with the labels that were removed from it.

    Args:
        credit: (B, 2, C) floating point, positive where a label does harm, see
            `rlld_gym.denoising.credit.normalised_credit`.
        shown: (B, 2, C) bool labels before the action.
        revision: result of `rlld_gym.denoising.labels.revise_labels`; what it reverted counts as not removed.
        scale: reward per unit of credit.

    Returns:
        (B, 2) floating point: scale times the sum of the removed labels' credit; 0 where nothing was removed.
    """
    removed = shown & ~torch.stack((revision.audio, revision.visual), dim=1).bool()
    return scale * torch.where(removed, credit, torch.zeros_like(credit)).sum(dim=2)


def terminal_rewards(scores: Mapping[str, float], scale: float) -> tuple[float, float]:
    """Return the validation rewards of the audio and of the visual branch.

    Eq. 10 of RLLD (arXiv 2412.19563): the audio branch is paid for segment-level audio F, the visual branch
    for event-level visual F.

    Args:
        scores: F-scores in percent by name, as ``ParsingScores.as_dict()`` gives them.
        scale: reward per percent.

    Returns:
        Audio reward, visual reward.
    """
    audio, visual = (scale * float(scores[name]) for name in TERMINAL_SCORES)
    return audio, visual
