"""How good the removals of a cell are, in numbers that JSON takes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlld_agents.baselines.base import Denoised
from rlld_agents.labels.removal import ModalityRemoval, all_but, rank_auc, removal_quality
from rlld_gym.data.split import Split


def removal_summary(train: Split, never_visible: int | None, denoised: Denoised) -> dict[str, dict[str, Any]]:
    """Return for each modality the quality of the removals, with and without Speech, and counts per class.

    Args:
        train: the training videos, with or without truth.
        never_visible: index of the class that quality is also measured without; None: there is none.
        denoised: what a method left.

    Returns:
        "audio" and "visual", each with "rate", "precision", "recall", "auc" (None where unknown), the same with
        the ending "_without_speech", lists of C counts: "labels", "removed", "noisy", "correct", and "class_auc".
    """
    truth, scores = train.truth(), denoised.removal_score
    quality = removal_quality(train.labels, denoised.audio, denoised.visual, truth, scores)
    others = all_but(never_visible, train.labels.shape[1])
    rest = removal_quality(train.labels, denoised.audio, denoised.visual, truth, scores, chosen=others)
    return {
        name: _ratios(whole)
        | {f"{key}_without_speech": v for key, v in _ratios(part).items()}
        | _counts(whole)
        | {"class_auc": _class_auc(train.labels, truth, scores, modality)}
        for modality, (name, whole, part) in enumerate(
            (("audio", quality.audio, rest.audio), ("visual", quality.visual, rest.visual))
        )
    }


def _class_auc(
    labels: NDArray[np.bool_],
    truth: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None,
    scores: NDArray[np.float32] | None,
    modality: int,
) -> list[float | None] | None:
    """Return for each class how well its noisy labels are ranked; None where nobody knows."""
    if truth is None or scores is None:
        return None
    return [
        rank_auc(score[present], ~true[present])
        for present, true, score in zip(labels.T, truth[modality].T, scores[:, modality].T, strict=True)
    ]


def _ratios(quality: ModalityRemoval) -> dict[str, float | None]:
    return {"rate": quality.removal_rate, **quality.as_dict()}


def _counts(quality: ModalityRemoval) -> dict[str, list[int] | None]:
    counts: dict[str, NDArray[np.int64] | None] = {
        name: getattr(quality, name) for name in ("labels", "removed", "noisy", "correct")
    }
    return {name: None if values is None else values.tolist() for name, values in counts.items()}
