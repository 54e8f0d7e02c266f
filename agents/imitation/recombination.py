"""Recombined videos: what is heard in one video beside what is seen in another, with labels that are known.

Dense labels say of each track by itself, segment by segment, which events it contains. So tracks of different
videos make a new video whose truth is known, and a few hundred videos make hundreds of thousands. A policy that
learns from them cannot conclude from what it hears what there is to see: it has to look. (Tracks are also exchanged
in MA, Wu and Yang, CVPR 2021, to find wrong labels, and patches in CutMix, Yun et al., ICCV 2019, to train
classifiers.)
"""

from typing import NamedTuple

import torch
from torch import Tensor

from rlld_gym.parsing.randomness import own_generator


class Tracks(NamedTuple):
    """Features of B videos, without labels, and what is not in them.

    Attributes:
        audio: (B, T, Da) float32.
        visual: (B, T, Dv) float32.
        silent: (B, T, 2, C) float32, 1 where a class is not heard (0) or not seen (1) in a segment.
    """

    audio: Tensor
    visual: Tensor
    silent: Tensor

    def absent(self) -> Tensor:
        """Return (B, 2, C) float32, 1 where a class is not heard or not seen in all the video."""
        return self.silent.amin(1)

    def labels(self) -> Tensor:
        """Return the video-level labels (B, C) float32 that belong to the truth: heard or seen."""
        return 1 - self.absent().amin(1)


def recombine(videos: Tracks) -> Tracks:
    """Return as many new videos, made of the tracks of some.

    Each modality's track is the beginning of one video's track, half of it at least, and the end of another's.
    Which videos meet is drawn for each modality by itself, from `own_generator` of their device; a video
    may meet itself. The new videos have more labels than the old ones, and more of them are wrong, because tracks
    meet that share no event: who learns from them learns a ranking, and rates have to be calibrated on real videos.

    Args:
        videos: B of them.

    Returns:
        B others.
    """
    audio, silent_audio = _spliced(videos.audio, videos.silent[:, :, 0])
    device = videos.audio.device
    order = torch.randperm(len(videos.audio), generator=own_generator(device), device=device)
    visual, silent_visual = _spliced(
        videos.visual.index_select(0, order), videos.silent[:, :, 1].index_select(0, order)
    )
    return Tracks(audio, visual, torch.stack((silent_audio, silent_visual), dim=2))


def _spliced(track: Tensor, silent: Tensor) -> tuple[Tensor, Tensor]:
    """Return tracks (B, T, D) that go on with another video's, and what is not in their segments (B, T, C)."""
    videos, segments = track.shape[:2]
    device = track.device
    generator = own_generator(device)
    other = torch.randperm(videos, generator=generator, device=device)
    cut = torch.randint(-(-segments // 2), segments + 1, (videos, 1, 1), generator=generator, device=device)
    first = torch.arange(segments, device=device).view(1, -1, 1) < cut
    track, silent = (torch.where(first, part, part.index_select(0, other)) for part in (track, silent))
    return track, silent
