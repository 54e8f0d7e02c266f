"""What the parser that episodes start from says of all training labels, and how labels rank by it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlld_gym.denoising.evidence import known_evidence
from rlld_gym.denoising.process import DenoisingProcess
from rlld_gym.errors import InputError


class TrainingEvidence(NamedTuple):
    """Labels of the training videos and the evidence for them.

    Attributes:
        labels: (N, C) bool, the weak labels.
        evidence: (N, 2, C) float32 log-odds, audio then visual, see `rlld_gym.denoising.evidence`.
    """

    labels: NDArray[np.bool_]
    evidence: NDArray[np.float32]


def training_evidence(process: DenoisingProcess) -> TrainingEvidence:
    """Return what the parser that a process's episodes start from says of the training labels.

    Raises:
        InputError: they start from a new network, which knows nothing.
    """
    start, train = process.task.start, process.data["train"]
    if start is None:
        raise InputError(
            "task_start is 'fresh': a new network has no evidence about labels; use task_start 'pretrained' or a "
            "file"
        )
    evidence = known_evidence(start, train).to("cpu", copy=True).numpy()
    return TrainingEvidence(train.labels.bool().cpu().numpy(), evidence)


def label_ranks(known: TrainingEvidence) -> NDArray[np.float32]:
    """Return which share of a class's labels has less evidence than each label, in its modality.

    Args:
        known: of the training videos.

    Returns:
        (N, 2, C) float32 in (0, 1): (rank + 1/2) / number of labels, so that a share s of them has a rank below s,
        up to rounding; equal evidence is ranked in the order of the videos. Infinite where there is no label.
    """
    present = known.labels[:, None, :]
    counts = np.maximum(known.labels.sum(axis=0), 1)
    ordered = np.where(present, known.evidence, np.inf).argsort(axis=0, kind="stable").argsort(axis=0)
    ranks: NDArray[np.float32] = np.where(present, (ordered + 0.5) / counts, np.inf).astype(np.float32)
    return ranks
