"""What a parser says of a label from the label's own modality alone."""

import dataclasses

import pytest
import torch
from torch import nn

from rlld_gym.data.catalog import shared_tensors
from rlld_gym.denoising.evidence import EVIDENCE_LIMIT, NUM_OTHERS, evidence, known_evidence
from rlld_gym.denoising.starting_parser import starting_parser
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.networks.base import ParsingOutput
from rlld_gym.parsing.recipes import get_recipe


@pytest.fixture(scope="module")
def data():
    return shared_tensors("twin-tiny", "cpu")


@pytest.fixture(scope="module")
def parser(data):
    return starting_parser(data, get_recipe("compact-tiny"), 32)


class Summing(TaskNetwork):
    """Both modalities' probabilities depend on the sum of both, as of a network without a switch."""

    separates_modalities = False

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.1))

    def encode(self, audio, visual_2d, visual_3d, cross_attention=True):
        assert cross_attention
        return audio, torch.cat((visual_2d, visual_3d), 2)

    def head(self, audio_sequence, visual_sequence):
        heard, seen = (sequence.mean((1, 2), keepdim=True) for sequence in (audio_sequence, visual_sequence))
        audio, visual = (
            (self.scale * x).sigmoid().expand(-1, -1, 3)[:, 0] for x in (heard + 2 * seen, 2 * heard + seen)
        )
        return ParsingOutput(audio, audio, visual, torch.stack((audio, visual), 1).unsqueeze(1))


def test_it_is_the_pooled_log_odds_without_cross_attention(data, parser):
    rows = torch.tensor([5, 3, 900])
    with torch.no_grad():
        output = parser(*data["train"].batch(rows), cross_attention=False)
    for modality, probability in enumerate((output.audio, output.visual)):
        expected = torch.log(probability / (1 - probability))
        torch.testing.assert_close(
            evidence(parser, data["train"], rows)[:, modality], expected, rtol=1e-4, atol=1e-4
        )


def test_a_modality_s_evidence_does_not_depend_on_the_other_one(data, parser):
    split = data["train"]
    other = dataclasses.replace(split, visual=split.visual.flip(0))
    before, after = (evidence(parser, videos, torch.arange(50)) for videos in (split, other))
    torch.testing.assert_close(before[:, 0], after[:, 0])
    assert (before[:, 1] - after[:, 1]).abs().mean() > 0.1


def test_of_networks_without_a_switch_the_other_modality_is_that_of_other_videos(data):
    split, network = data["train"], Summing()
    found = evidence(network, split, torch.tensor([7]))[0]
    strangers = [
        (8 + number * len(split) // (NUM_OTHERS + 1)) % len(split) for number in range(1, NUM_OTHERS + 1)
    ]
    heard, seen = (features.float().mean((1, 2)) for features in (split.audio, split.visual))
    for modality, own, others, weight in ((0, heard, seen, 2), (1, seen, heard, 2)):
        expected = 0.1 * (own[7] + weight * others[strangers].mean())
        torch.testing.assert_close(found[modality], expected.expand(3), rtol=1e-3, atol=1e-5)


def test_all_at_once_and_one_by_one_are_the_same_and_nothing_changes(data, parser):
    parser.train()
    state = torch.get_rng_state()
    whole = evidence(parser, data["val"])
    single = torch.cat([evidence(parser, data["val"], torch.tensor([row])) for row in range(20)])
    assert torch.equal(torch.get_rng_state(), state)
    assert parser.training
    parser.eval()
    assert whole.shape == (len(data["val"]), 2, 25)
    torch.testing.assert_close(whole[:20], single, rtol=1e-4, atol=1e-4)
    assert not whole.requires_grad


def test_it_is_finite_whatever_the_weights(data):
    network = Summing()
    for scale in (1e6, -1e6):
        network.scale.data.fill_(scale)
        found = evidence(network, data["val"])
        assert found.abs().max() <= EVIDENCE_LIMIT
        assert found.abs().max() > EVIDENCE_LIMIT - 1


def test_evidence_of_a_split_is_computed_once(data, parser):
    first = known_evidence(parser, data["train"])
    assert known_evidence(parser, data["train"]) is first
    torch.testing.assert_close(first, evidence(parser, data["train"]))


def test_it_tells_wrong_labels_from_right_ones(data, parser):
    """Where Speech is left out, which is mostly wrong in any case; ranking by chance would be .5."""
    train = data["train"]
    found = known_evidence(parser, train)[:, 1]
    present = train.labels.bool()
    present[:, 0] = False
    seen = train.dense_visual.any(1)
    wrong, right = found[present & ~seen], found[present & seen]
    assert (wrong[:, None] < right[None]).float().mean() > 0.75
