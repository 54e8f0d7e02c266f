"""What a class adds to a score, against taking its predictions away and scoring again."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlld_gym.parsing.contribution import class_contribution
from rlld_gym.parsing.metrics import parsing_scores


def rescored(tracks):
    """Return (2, C): the score of each modality less the one without the predictions of a class in it."""
    *predicted, true_audio, true_visual = tracks
    whole = parsing_scores(*tracks).table[0, :2]
    result = np.zeros((2, predicted[0].shape[2]))
    for modality in range(2):
        for label in range(predicted[0].shape[2]):
            without = [track.clone() for track in predicted]
            without[modality][:, :, label] = False
            scores = parsing_scores(*without, true_audio, true_visual).table[0, :2]
            result[modality, label] = whole[modality] - scores[modality]
    return result


@given(
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4)),
    density=st.sampled_from([0.05, 0.3, 0.8]),
    seed=st.integers(0, 10_000),
)
def test_it_is_what_scoring_again_says(sizes, density, seed):
    generator = torch.Generator().manual_seed(seed)
    tracks = [torch.rand(sizes, generator=generator) < density for _ in range(4)]
    found = class_contribution(*tracks)
    assert (found.dtype, found.shape) == (torch.float64, (2, sizes[2]))
    np.testing.assert_allclose(found, rescored(tracks), atol=1e-4)  # the metric's means are float32


def test_videos_without_anything_to_find():
    """A false alarm costs all of such a video; a video without predictions and events scores 1 in any case."""
    tracks = [torch.zeros(2, 3, 2, dtype=torch.bool) for _ in range(4)]
    assert not class_contribution(*tracks).any()
    tracks[0][0, 0, 1] = True
    assert class_contribution(*tracks).tolist() == [[0, -50], [0, 0]]


def test_of_a_perfect_parser_the_contributions_add_up_to_the_score():
    generator = torch.Generator().manual_seed(0)
    true = [torch.rand(20, 10, 5, generator=generator) < 0.3 for _ in range(2)]
    assert class_contribution(*true, *true).sum(1).tolist() == pytest.approx([100, 100])
