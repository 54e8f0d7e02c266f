"""Segment labels from language, as LSLD makes them before training (Fan et al., NeurIPS 2023).

First every segment is compared with phrases for all combinations of its video's labels, and keeps the labels of the
best one. Then visual labels are weighed by how segments compare with the bare names of classes. The similarities
come from a teacher that reads both text and features (CLIP and CLAP in the publication), which is not part of this
package; a store holds the result as segment-level teachers.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final, NamedTuple

import torch
from torch import Tensor

from rlld_gym.errors import InputError

PHRASE_NAMES: Final[tuple[str, ...]] = (
    "Speeching",
    "Car",
    "Cheering",
    "Dog",
    "Cat",
    "Frying food",
    "playing basketball",
    "Fire alarm ringing",
    "Chainsaw",
    "playing the Cello",
    "playing the Banjo",
    "Singing",
    "Chicken",
    "playing the Violin",
    "Vacuum cleaner",
    "Baby laughter",
    "playing the Accordion",
    "Lawn-mower",
    "Motorcycle",
    "Helicopter",
    "playing the guitar",
    "Telephone bell ringing",
    "Baby cry",
    "Blender",
    "Clapping",
)
"""What the publication calls LLP's classes, in their order."""
AUDIO_PREFIX: Final = "This is a sound of "
"""Stands before the phrases that audio is compared with; those for pictures have no prefix."""
NOTHING: Final = "other"
"""The phrase for segments without any of the video's events."""


class Phrase(NamedTuple):
    """A text and the classes that it speaks of; none in the last phrase of a video."""

    text: str
    classes: tuple[int, ...]


def phrases(labels: Sequence[int], names: Sequence[str] = PHRASE_NAMES, prefix: str = "") -> list[Phrase]:
    """Return a phrase for every combination of a video's labels, the larger ones last, and "other".

    Args:
        labels: the video's classes.
        names: what the classes are called.
        prefix: stands before every phrase.

    Returns:
        2^n phrases for n labels.

    Raises:
        InputError: more than 8 labels, with which there would be too many phrases to tell apart.
    """
    if len(labels) > 8:
        raise InputError(f"a video has {len(labels)} labels: expected at most 8 to combine in phrases")
    chosen = [subset for count in range(1, len(labels) + 1) for subset in combinations(sorted(labels), count)]
    texts = [Phrase(prefix + " and ".join(names[number] for number in subset), subset) for subset in chosen]
    return [*texts, Phrase(prefix + NOTHING, ())]


def matched_labels(cosines: Tensor, video_phrases: Sequence[Phrase], num_classes: int) -> Tensor:
    """Label each segment of a video with the classes of the phrase that it is most similar to.

    Args:
        cosines: (T, P) of segments and phrases.
        video_phrases: P, from `phrases`.
        num_classes: C.

    Returns:
        (T, C) float, 0 or 1.
    """
    meant = cosines.new_zeros(len(video_phrases), num_classes)
    for row, phrase in enumerate(video_phrases):
        meant[row, list(phrase.classes)] = 1.0
    return meant[cosines.argmax(-1)]


def reweighted_labels(
    labels: Tensor, cosines: Tensor, *, event_ratio: float = 4.0, noise_ratio: float = 0.4
) -> Tensor:
    """Soften the visual labels of all training segments where a class's positives and negatives overlap.

    Per class, with the segments that are labelled so far as positives: a positive that is less similar to the
    class's name than the most similar negative gets ``event_ratio`` times its cosine, and a negative that is more
    similar than the least similar positive ``noise_ratio`` times its cosine, both only where that lies in (0, 1).

    Args:
        labels: (N, T, C) float, 0 or 1.
        cosines: (N, T, C), of each segment and the name of each class.
        event_ratio: see above.
        noise_ratio: see above.

    Returns:
        (N, T, C) float in [0, 1].
    """
    positive = labels > 0.5
    hardest = cosines.masked_fill(positive, -torch.inf).amax((0, 1))
    weakest = cosines.masked_fill(~positive, torch.inf).amin((0, 1))
    doubtful = torch.where(positive, cosines < hardest, cosines > weakest) & (hardest > weakest)
    weight = torch.where(positive, event_ratio, noise_ratio) * cosines
    return torch.where(doubtful & (weight > 0) & (weight < 1), weight, labels)
