"""Synthetic segment-level teachers of a twin's training videos.

A teacher looks at every segment of a video for each event that the video is labelled with, and says how surely it
finds it. What it sees is x = z + noise, z = +1/2 where the event is in the segment and -1/2 where it is not, in
units in which the noise has standard deviation 1 / d; part of the noise is the same for all segments of the video.
It answers sigmoid(d^2 x), the probability that the event is there, at even odds. Above one half it is a label; its
share of wrong labels is the same for events that are there and that are not: the normal law's below -d / 2.

No large model is behind them. How often published pseudo labels are right is not known to us; what they are worth
is: on segments of LLP, VALOR, a HAN that is trained with such labels (Lai et al., NeurIPS 2023), scores A 61.8,
V 65.9, AV 58.4 and Type 62.0. The strengths were chosen so that it scores about that on the twin "small", see
docs/twin.md.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.classes import NUM_SEGMENTS
from rlld_gym.data.split import TEACHER_DTYPE
from rlld_gym.data.twins.labels import BoolArray, EventLabels


@dataclass(frozen=True)
class TeacherModel:
    """How well a teacher finds events."""

    strength: float
    """d: distance of what it sees with and without the event, in standard deviations of its noise."""
    constant: float = 0.5
    """Share, 0 to 1, of the noise's variance that all segments of a video have in common."""


AUDIO_TEACHER: Final = TeacherModel(strength=2.2)
VISUAL_TEACHER: Final = TeacherModel(strength=1.3)
TEACHER_SEED: Final = 0x7EAC
"""Of the teachers' own source of randomness, beside a twin's seed."""


def draw_teachers(events: EventLabels, seed: int) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Draw what the audio and the visual teacher say of N videos.

    Args:
        events: of the videos.
        seed: of the twin; nothing else that is drawn for it depends on what is drawn here.

    Returns:
        What is heard and what is seen, (N, T, C) float16 in [0, 1] each; 0 where a video lacks the label.
    """
    generator = np.random.default_rng([TEACHER_SEED, seed])
    videos, classes = np.nonzero(events.labels)
    heard, seen = (
        _answers(events.labels.shape, dense[videos, :, classes], (videos, classes), model, generator)
        for dense, model in ((events.dense_audio, AUDIO_TEACHER), (events.dense_visual, VISUAL_TEACHER))
    )
    return heard, seen


def _answers(
    shape: tuple[int, ...],
    present: BoolArray,
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
    model: TeacherModel,
    generator: np.random.Generator,
) -> NDArray[np.float16]:
    """Return answers (N, T, C) from what is present (L, T) of the L labels at ``places``."""
    noise = np.sqrt(1 - model.constant) * generator.standard_normal(present.shape, dtype=np.float32)
    noise += np.sqrt(model.constant) * generator.standard_normal((len(present), 1), dtype=np.float32)
    log_odds = model.strength * (model.strength * (present - np.float32(0.5)) + noise)
    answers = np.zeros((shape[0], NUM_SEGMENTS, shape[1]), TEACHER_DTYPE)
    answers[places[0], :, places[1]] = 1 / (1 + np.exp(-log_odds))
    return answers
