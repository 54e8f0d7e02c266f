"""Gates and thresholds by hand, thresholds tuned against exhaustive search, and selection by the mean score."""

import dataclasses
import json

import pytest
import torch

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.epochs import EpochRecord
from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.prediction import evaluate, gated_tracks
from rlld_gym.parsing.recipes import get_recipe
from rlld_gym.parsing.threshold_tuning import CANDIDATES, tuned_thresholds, tuning_and_reporting
from rlld_gym.parsing.thresholds import HALVES, Thresholds


class Recorded(TaskNetwork):
    """Returns the probabilities that its features are: a pooled one and one a segment, for three classes."""

    def encode(self, audio, visual_2d, visual_3d, cross_attention=True):
        return audio, visual_2d

    def head(self, audio_sequence, visual_sequence):
        segment = torch.stack((audio_sequence[..., :3], visual_sequence[..., :3]), 2)
        audio, visual = audio_sequence[:, 0, 3:], visual_sequence[:, 0, 3:]
        return ParsingOutput(torch.maximum(audio, visual), audio, visual, segment)


def split(videos=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    dense = torch.rand(2, videos, 1, 3, generator=generator).expand(-1, -1, 10, -1) < 0.5
    features = torch.rand(2, videos, 10, 6, generator=generator)
    features = (features + torch.cat((dense, dense), -1) * torch.tensor([0.1, 0.5, 0.2] * 2)).clamp(0, 1)
    return SplitTensors(features[0], features[1], dense.any(0)[:, 0].float(), dense[0], dense[1], 6)


@pytest.mark.parametrize(("gate", "admitting"), [("global", (0, 0)), ("modality", (1, 2)), ("mixed", (0, 2))])
def test_tracks_by_hand(gate, admitting):
    generator = torch.Generator().manual_seed(3)
    output = ParsingOutput(
        *torch.rand(3, 5, 3, generator=generator), torch.rand(5, 10, 2, 3, generator=generator)
    )
    thresholds = Thresholds(audio=0.45, visual=(0.2, 0.5, 0.7), segment=0.25)
    for modality, track in enumerate(gated_tracks(output, gate, thresholds)):
        pooled = output[admitting[modality]]
        least = torch.tensor([[0.45] * 3, [0.2, 0.5, 0.7]])[modality]
        expected = (output.segment[:, :, modality] >= 0.25) & (pooled >= least)[:, None]
        assert torch.equal(track, expected)
    for plain, half in zip(gated_tracks(output, gate), gated_tracks(output, gate, HALVES), strict=True):
        assert torch.equal(plain, half)


def test_tuned_thresholds_are_those_of_exhaustive_search():
    data, start = split(), Thresholds(audio=0.45, visual=0.45, segment=0.25)
    network = Recorded()
    tuned = tuned_thresholds(network, data, "modality", start)
    assert (tuned.audio, tuned.segment) == (0.45, 0.25)
    for number in range(3):
        best = (-1.0, 0.0)
        for value in CANDIDATES:
            visual = [0.45] * 3
            visual[number] = value
            thresholds = Thresholds(audio=0.45, visual=tuple(visual), segment=0.25)
            score = evaluate(network, data, "modality", thresholds=thresholds).as_dict()["event_visual"]
            best = max(best, (score, value))
        assert tuned.visual[number] == best[1]


def test_tuning_and_reporting_share_no_video():
    tuning, reporting = tuning_and_reporting(split(videos=7))
    assert (len(tuning), len(reporting)) == (4, 3)
    whole = split(videos=7)
    assert torch.equal(tuning.visual, whole.visual[::2])
    assert torch.equal(reporting.dense_audio, whole.dense_audio[1::2])


@pytest.mark.parametrize("bad", [{"audio": 0.0}, {"visual": (0.5, 1.0)}, {"segment": -1.0}, {"visual": ()}])
def test_thresholds_are_checked(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        Thresholds(**bad)
    output = ParsingOutput(*torch.rand(3, 2, 3), torch.rand(2, 10, 2, 3))
    with pytest.raises(InputError, match="has 2 numbers: expected 3"):
        gated_tracks(output, "modality", Thresholds(visual=(0.5, 0.5)))


def test_thresholds_survive_a_file():
    thresholds = Thresholds(audio=0.45, visual=(0.3, 0.7))
    assert Thresholds(**json.loads(json.dumps(dataclasses.asdict(thresholds)))) == thresholds


def test_mean_of_the_ten_scores_selects():
    network = torch.nn.Linear(1, 1)
    record = EpochRecord("mean")
    for first, others in ((90.0, 10.0), (10.0, 30.0), (80.0, 20.0)):
        record.add(0.0, dict.fromkeys(SCORE_NAMES, others) | {SCORE_NAMES[0]: first}, network)
    assert record.parser(network).best_epoch == 2


def test_recipe_of_cmpae_has_its_published_decision():
    recipe = get_recipe("cmpae")
    assert (recipe.gate, recipe.selection) == ("modality", "mean")
    assert recipe.thresholds == Thresholds(audio=0.45, visual=0.45, segment=0.25)
    assert hash(recipe) == hash(get_recipe("cmpae"))
