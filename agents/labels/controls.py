"""Labels that every denoiser must be compared with, made without a policy.

A control answers a question: *weak labels*: what if nothing is removed? *No visual Speech*: how far does one
rule get that anybody can guess? *Random*: is it which labels are removed that matters, or only how many?
*Oracle*: what if every decision were right?
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rlld_agents.labels.revised import LabelSet
from rlld_gym.data.split import Split

Bools = NDArray[np.bool_]


def weak(split: Split) -> LabelSet:
    """Return the video's labels for both modalities."""
    return LabelSet(split.labels.copy(), split.labels.copy())


def no_visual_speech(split: Split, never_visible: int | None) -> LabelSet | None:
    """Return the weak labels without any visual label of one class, in LLP Speech; None where there is none.

    Args:
        split: the videos.
        never_visible: index of the class, see `StoreHeader.never_visible`.
    """
    if never_visible is None:
        return None
    labels = weak(split)
    labels.visual[:, never_visible] = False
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
    numbers = [int(split.labels.sum() - kept.sum()) for kept in (audio, visual)]
    return remove_at_random(split.labels, numbers, seed)


def remove_at_random(weak: Bools, numbers: Sequence[int | Sequence[int]], seed: int) -> LabelSet:
    """Remove labels drawn at random; a video that would lose its last label in both modalities keeps all.

    Args:
        weak: (N, C) bool, the labels that are there.
        numbers: how many to draw of the audio and of the visual labels: of all, or C numbers, of each class.
        seed: of the draw.

    Returns:
        The labels that are left.
    """
    generator = np.random.default_rng(seed)
    places = np.arange(weak.size).reshape(weak.shape)
    kept = LabelSet(weak.copy(), weak.copy())
    for labels, number in zip(kept, numbers, strict=True):
        # A class is a group to draw from, or all classes are one.
        groups = (
            [(places, weak, number)]
            if isinstance(number, int)
            else zip(places.T, weak.T, number, strict=True)
        )
        for flat, present, count in groups:
            labels.flat[generator.choice(flat[present], size=count, replace=False)] = False
    emptied = ~(kept.audio | kept.visual).any(axis=1)
    for labels in kept:
        labels[emptied] = weak[emptied]
    return kept
