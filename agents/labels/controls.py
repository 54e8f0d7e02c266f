"""Labels that every denoiser must be compared with, made without a policy.

A control answers a question: *weak labels*: what if nothing is removed? *No visual Speech*: how far does one
rule get that anybody can guess? *Random*: is it which labels are removed that matters, or only how many?
*Oracle*: what if every decision were right?
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.split import Split

Bools = NDArray[np.bool_]


class LabelSet(NamedTuple):
    """Training labels of both modalities, (N, C) bool each."""

    audio: Bools
    visual: Bools


def weak(split: Split) -> LabelSet:
    """Return the video's labels for both modalities."""
    return LabelSet(split.labels.copy(), split.labels.copy())


def no_visual_speech(split: Split, classes: Sequence[str]) -> LabelSet | None:
    """Return the weak labels without any visual Speech; None for data that have no class "Speech"."""
    if "Speech" not in classes:
        return None
    labels = weak(split)
    labels.visual[:, list(classes).index("Speech")] = False
    return labels


def oracle(split: Split) -> LabelSet | None:
    """Return the labels that are heard and those that are seen; None where that is unknown."""
    truth = split.truth()
    return None if truth is None else LabelSet(*truth)


def random_removal(split: Split, audio: Bools, visual: Bools, seed: int) -> LabelSet:
    """Remove as many labels of each modality as a denoiser did, drawn at random.

    A video that would lose its last label in both modalities keeps all, so slightly fewer are removed.

    Args:
        split: the videos.
        audio: (N, C) bool, the denoiser's audio labels, a subset of the weak ones.
        visual: (N, C) bool, the denoiser's visual labels.
        seed: of the draw.

    Returns:
        The labels that are left.
    """
    generator = np.random.default_rng(seed)
    present = np.flatnonzero(split.labels)
    revised = []
    for kept in (audio, visual):
        labels = split.labels.copy()
        number = int(split.labels.sum() - kept.sum())
        labels.flat[generator.choice(present, size=number, replace=False)] = False
        revised.append(labels)
    emptied = ~(revised[0] | revised[1]).any(axis=1)
    for labels in revised:
        labels[emptied] = split.labels[emptied]
    return LabelSet(*revised)
