"""Labels of the variants of the twin: what `variants` describes, done to label sets and events."""

import numpy as np

from rlld_gym.data.classes import CLASSES
from rlld_gym.data.twins.labels import (
    BoolArray,
    EventLabels,
    class_patterns,
    draw_events,
    label_sets,
    masks_to_segments,
)
from rlld_gym.data.twins.variants import DependentNoise, Shift


def draw_shifted(split: str, num_videos: int, shift: Shift, generator: np.random.Generator) -> EventLabels:
    """Draw videos with other class rates and noise rates than LLP's.

    Args:
        split: whose label sets to draw from, with replacement.
        num_videos: how many videos.
        shift: how the rates differ.
        generator: source of randomness.

    Returns:
        Labels of the videos.
    """
    up = np.arange(len(CLASSES)) % 2 == 1
    sets, counts = label_sets(split)
    factors = np.where(up, shift.class_rate, 1 / shift.class_rate)
    weights = counts * np.where(sets, factors, 1.0).prod(axis=1)
    labels: BoolArray = sets[generator.choice(len(sets), size=num_videos, p=weights / weights.sum())]
    return draw_events(labels, generator, np.where(up, shift.noise_odds, 1 / shift.noise_odds))


def with_dependent_noise(
    events: EventLabels, noise: DependentNoise, generator: np.random.Generator
) -> EventLabels:
    """Draw one class's events anew, seen with a probability that depends on the video's other labels.

    Which segments it is heard and seen in, given whether it is seen, is as in LLP. All other classes stay.

    Args:
        events: of N videos.
        noise: which class, and how it depends on which others.
        generator: source of randomness.

    Returns:
        The events with the class drawn anew.
    """
    index = CLASSES.index(noise.event)
    companions = [CLASSES.index(name) for name in noise.companions]
    videos = np.flatnonzero(events.labels[:, index])
    accompanied = events.labels[videos][:, companions].any(axis=1)
    masks, counts = class_patterns(index)
    unseen = masks[:, 1] == 0
    dense = events.dense_audio.copy(), events.dense_visual.copy()
    for group, share in ((accompanied, noise.unseen_with), (~accompanied, noise.unseen_without)):
        weights = np.where(unseen, share / counts[unseen].sum(), (1 - share) / counts[~unseen].sum()) * counts
        drawn = masks[generator.choice(len(masks), size=int(group.sum()), p=weights / weights.sum())]
        for modality in range(2):
            dense[modality][videos[group], :, index] = masks_to_segments(drawn[:, modality])
    return EventLabels(events.labels, *dense)


def with_wrong_dense(events: EventLabels, share: float, generator: np.random.Generator) -> EventLabels:
    """Corrupt dense labels so that a share of the modality labels that they imply is wrong.

    In a modality that is wrong, an event that is there is not marked, and one that is not there is marked in the
    segments of the other modality. Where that would leave nothing of a label, both modalities are wrong: all marks
    move to the other one.

    Args:
        events: of N videos.
        share: of the labels of both modalities, 0 to 0.5.
        generator: source of randomness.

    Returns:
        The same weak labels with corrupted dense labels; labels without any event stay without.
    """
    videos, classes = np.nonzero(events.labels)
    marks = np.stack(
        [dense[videos, :, classes] for dense in (events.dense_audio, events.dense_visual)], axis=1
    )
    order = generator.permutation(np.flatnonzero(marks.any(axis=(1, 2))))
    modality = generator.integers(2, size=len(order))
    mine, other = marks[order, modality], marks[order, 1 - modality]
    there, alone = mine.any(axis=1), mine.any(axis=1) & ~other.any(axis=1)
    wrong = (1 + alone).cumsum() <= round(share * 2 * len(videos))
    mine, other = np.where(there[:, None], False, other), np.where(alone[:, None], mine, other)
    order, modality = order[wrong], modality[wrong]
    marks[order, modality], marks[order, 1 - modality] = mine[wrong], other[wrong]
    dense = events.dense_audio.copy(), events.dense_visual.copy()
    for index in range(2):
        dense[index][videos, :, classes] = marks[:, index]
    return EventLabels(events.labels, *dense)
