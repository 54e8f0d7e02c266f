"""LSLD's labels: phrases of a video's labels, the best phrase's labels, and their weights against a naive loop."""

import pytest
import torch

from rlld_gym.data.classes import CLASSES
from rlld_gym.errors import InputError
from rlld_gym.parsing.language_labels import (
    AUDIO_PREFIX,
    PHRASE_NAMES,
    matched_labels,
    phrases,
    reweighted_labels,
)


def test_phrases_combine_all_labels_and_end_with_other():
    assert [phrase.text for phrase in phrases([3])] == ["Dog", "other"]
    assert [phrase.text for phrase in phrases([11, 0])] == [
        "Speeching",
        "Singing",
        "Speeching and Singing",
        "other",
    ]
    three = phrases([0, 1, 13], prefix=AUDIO_PREFIX)
    assert len(three) == 8
    assert three[-2].text == "This is a sound of Speeching and Car and playing the Violin"
    assert {phrase.classes for phrase in three} == {
        (0,),
        (1,),
        (13,),
        (0, 1),
        (0, 13),
        (1, 13),
        (0, 1, 13),
        (),
    }
    with pytest.raises(InputError, match="9 labels"):
        phrases(range(9))


def test_every_class_has_a_phrase():
    assert len(PHRASE_NAMES) == len(CLASSES) == len(set(PHRASE_NAMES))


def test_a_segment_keeps_the_labels_of_its_best_phrase():
    options = phrases([1, 2])  # 1 | 2 | both | other
    cosines = torch.tensor([[0.3, 0.1, 0.2, 0.0], [0.1, 0.1, 0.5, 0.4], [0.1, 0.2, 0.3, 0.4]])
    assert matched_labels(cosines, options, 4).tolist() == [[0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


def naive_weights(labels, cosines):
    result = labels.clone()
    for c in range(labels.shape[-1]):
        positives = [
            (n, t) for n in range(len(labels)) for t in range(labels.shape[1]) if labels[n, t, c] == 1
        ]
        negatives = [
            (n, t) for n in range(len(labels)) for t in range(labels.shape[1]) if labels[n, t, c] == 0
        ]
        if not positives or not negatives:
            continue
        most = max(float(cosines[n, t, c]) for n, t in negatives)
        least = min(float(cosines[n, t, c]) for n, t in positives)
        if most <= least:
            continue
        for n, t in positives:
            if cosines[n, t, c] < most and 0 < 4 * cosines[n, t, c] < 1:
                result[n, t, c] = 4 * cosines[n, t, c]
        for n, t in negatives:
            if cosines[n, t, c] > least and 0 < 0.4 * cosines[n, t, c] < 1:
                result[n, t, c] = 0.4 * cosines[n, t, c]
    return result


@pytest.mark.parametrize("seed", range(4))
def test_weights_agree_with_a_naive_loop(seed):
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(5, 10, 6, generator=generator) < 0.3).float()
    labels[..., 4], labels[..., 5] = 0.0, 1.0
    cosines = 0.5 * torch.randn(5, 10, 6, generator=generator) + 0.2 * labels
    cosines[..., 3] = labels[..., 3] * 0.2 + 0.1  # apart: nothing to weigh
    found = reweighted_labels(labels, cosines)
    torch.testing.assert_close(found, naive_weights(labels, cosines))
    assert torch.equal(found[..., 3:], labels[..., 3:])
    assert not torch.equal(found[..., :3], labels[..., :3])
    assert bool(((found >= 0) & (found <= 1)).all())
