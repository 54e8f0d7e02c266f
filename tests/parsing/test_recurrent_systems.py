"""AVE and AVSDN, which are ours in part: what their parts do, against torch's LSTM where it has a say."""

import pytest
import torch

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import AVE, AVSDN
from rlld_gym.parsing.networks.parts.lstm import BidirectionalLSTM

SYSTEMS = pytest.mark.parametrize("system", [AVE, AVSDN])
SMALL = {"audio_size": 5, "visual_2d_size": 6, "visual_3d_size": 4, "num_classes": 3, "hidden_size": 8}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def features(videos=2, frames=10):
    return torch.randn(videos, 10, 5), torch.randn(videos, frames, 6), torch.randn(videos, 10, 4)


@pytest.mark.parametrize("given", [False, True])
def test_states_are_those_of_torchs_lstm(given):
    ours = BidirectionalLSTM(5, 4)
    theirs = torch.nn.LSTM(5, 4, batch_first=True, bidirectional=True)
    theirs.load_state_dict(ours.state_dict())
    start = (torch.randn(2, 3, 4), torch.randn(2, 3, 4)) if given else None
    sequence = torch.randn(3, 10, 5)
    torch.testing.assert_close(ours.with_states(sequence, start), theirs(sequence, start))


@SYSTEMS
@pytest.mark.parametrize("frames", [10, 80])
def test_pooled_probabilities_are_maxima_over_time(system, frames):
    output = system(**SMALL)(*features(frames=frames))
    assert [tuple(part.shape) for part in output] == [(2, 3), (2, 3), (2, 3), (2, 10, 2, 3)]
    assert torch.equal(output.audio, output.segment[:, :, 0].amax(1))
    assert torch.equal(output.visual, output.segment[:, :, 1].amax(1))
    assert all(bool(((part > 0) & (part < 1)).all()) for part in output)


@SYSTEMS
def test_without_cross_attention_a_modality_sees_only_itself(system):
    network = system(**SMALL)
    audio, visual_2d, visual_3d = features()
    for cross_attention in (False, True):
        before = network(audio, visual_2d, visual_3d, cross_attention)
        after = network(audio, visual_2d + 1, visual_3d, cross_attention)
        assert not torch.equal(before.video, after.video)
        mixes = cross_attention and system is AVSDN
        assert torch.equal(before.audio, after.audio) is not mixes


def test_decoders_of_avsdn_start_from_the_fused_states():
    network = AVSDN(**SMALL)
    audio, visual_2d, visual_3d = features()
    visual = torch.cat((visual_2d, visual_3d), -1)
    states = (network.audio_encoder.with_states(audio)[1], network.visual_encoder.with_states(visual)[1])
    start = []
    for own, other in zip(*states, strict=True):
        own, other = own.relu(), other.relu()  # noqa: PLW2901
        mean = (network.fusion.audio(own) + network.fusion.visual(other)) / 2
        start.append((torch.tanh(own + mean) + torch.tanh(other + mean)) / 2)
    expected = network.audio_decoder.with_states(audio, tuple(start))[0].relu()
    torch.testing.assert_close(network.encode(audio, visual_2d, visual_3d)[0], expected)


@SYSTEMS
def test_features_that_do_not_fit_are_named(system):
    audio, visual_2d, visual_3d = features()
    with pytest.raises(
        InputError, match=r"found 5 \(audio\), 6 \(visual 2D\), 3 \(visual 3D\)\. .* ResNet-152"
    ):
        system(**SMALL)(audio, visual_2d, visual_3d[..., :3])


@SYSTEMS
def test_odd_widths_are_refused(system):
    with pytest.raises(InputError, match="expected an even number"):
        system(**SMALL | {"hidden_size": 7})
