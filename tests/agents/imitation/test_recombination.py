"""New videos made of the tracks of others: whose tracks they are, and whether their truth is true."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rlld_agents.imitation import Tracks, recombine


def numbered(videos: int, segments: int, classes: int, seed: int) -> Tracks:
    """Return videos whose features name video and segment: 100 x video + segment; visual ones are negative."""
    names = torch.arange(videos).view(-1, 1, 1) * 100.0 + torch.arange(segments).view(1, -1, 1) + 1
    generator = torch.Generator().manual_seed(seed)
    silent = (torch.rand(videos, segments, 2, classes, generator=generator) < 0.7).float()
    return Tracks(names, -names, silent)


@given(st.integers(1, 9), st.integers(1, 10), st.integers(1, 4), st.integers(0, 999))
def test_every_segment_keeps_its_truth_and_its_place(
    videos: int, segments: int, classes: int, seed: int
) -> None:
    old = numbered(videos, segments, classes, seed)
    torch.manual_seed(seed)
    new = recombine(old)
    for modality, (track, sign) in enumerate(((new.audio, 1), (new.visual, -1))):
        names = (sign * track.squeeze(2)).long() - 1
        video, segment = names // 100, names % 100
        assert torch.equal(segment, torch.arange(segments).expand(videos, -1))
        assert torch.equal(new.silent[:, :, modality], old.silent[video, segment, modality])
        # One video begins and one ends it, and none begins twice: all tracks are used.
        assert (video.diff() != 0).sum(1).le(1).all()
        assert (video[:, : -(-segments // 2)] == video[:, :1]).all()
        assert sorted(video[:, 0].tolist()) == list(range(videos))


@given(st.integers(1, 6), st.integers(0, 999))
def test_a_label_is_what_is_heard_or_seen_in_some_segment(videos: int, seed: int) -> None:
    tracks = numbered(videos, 10, 5, seed)
    present = ~tracks.silent.bool().numpy()
    expected = np.array([[video[..., c].any() for c in range(5)] for video in present])
    absent = np.array([[[not video[:, m, c].any() for c in range(5)] for m in range(2)] for video in present])
    assert np.array_equal(tracks.labels().bool().numpy(), expected)
    assert np.array_equal(tracks.absent().bool().numpy(), absent)


def test_modalities_meet_others() -> None:
    """Tracks of one video rarely stay together, and cuts fall everywhere from the middle to the end."""
    old = numbered(64, 10, 1, 0)
    torch.manual_seed(0)
    starts: list[Tensor] = []
    cuts: set[int] = set()
    for _ in range(20):
        new = recombine(old)
        starts.append((new.audio[:, 0, 0] == -new.visual[:, 0, 0]).float())
        audio = (new.audio.squeeze(2).long() - 1) // 100
        cuts |= set((audio == audio[:, :1]).sum(1).tolist())
    assert torch.cat(starts).mean() < 0.1
    assert {5, 6, 7, 8, 9, 10} <= cuts
