"""Exchange of tracks between videos: what a parser finds when one track is foreign (Wu and Yang, CVPR 2021)."""

from typing import NamedTuple

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.randomness import own_generator

ROUNDS = 64
"""Rounds of rejection sampling before the few videos that are left are drawn from a list of their partners."""


class Exchange(NamedTuple):
    """Probabilities of a parser's passes over N videos, (N, C) float32 each.

    Attributes:
        audio: pooled audio probability of the videos as they are.
        visual: likewise, visual.
        kept_audio: larger one of the two pooled probabilities beside a foreign visual track.
        kept_visual: larger one of the two pooled probabilities beside a foreign audio track.
    """

    audio: Tensor
    visual: Tensor
    kept_audio: Tensor
    kept_visual: Tensor


def draw_partners(labels: Tensor) -> Tensor:
    """Draw for every video, uniformly, another one that shares no label with it.

    Args:
        labels: (N, C), 0 where there is no label.

    Returns:
        (N,) int64, rows of the partners; -1 for a video that shares a label with every other one. Drawn from
        `own_generator` of the labels' device.
    """
    present = (labels > 0).float()
    number, generator = len(present), own_generator(labels.device)
    partners = torch.full((number,), -1, dtype=torch.int64, device=labels.device)
    waiting = torch.arange(number, device=labels.device)
    for _ in range(ROUNDS):
        drawn = torch.randint(number, (len(waiting),), generator=generator, device=labels.device)
        fits = (present[waiting] * present[drawn]).sum(-1) == 0
        partners[waiting[fits & (drawn != waiting)]] = drawn[fits & (drawn != waiting)]
        waiting = waiting[~fits | (drawn == waiting)]
        if len(waiting) == 0:
            return partners
    weights = (present[waiting] @ present.T == 0).float()
    weights[torch.arange(len(waiting), device=labels.device), waiting] = 0.0
    possible = weights.sum(-1) > 0
    if bool(possible.any()):
        partners[waiting[possible]] = torch.multinomial(weights[possible], 1, generator=generator).squeeze(-1)
    return partners


@torch.no_grad()
def exchange_tracks(
    network: TaskNetwork, split: SplitTensors, partners: Tensor, batch_size: int = 128
) -> Exchange:
    """Run a parser over every video as it is, beside its partner's visual and beside its partner's audio track.

    Args:
        network: on the split's device, in evaluation mode.
        split: N videos.
        partners: (N,) int64, a row for every video; a negative one stands for the video itself.
        batch_size: videos at a time, each in three versions; it does not matter for the result.

    Returns:
        The probabilities, in the split's order.
    """
    every = torch.arange(len(split), device=split.labels.device)
    foreign = torch.where(partners < 0, every, partners)
    parts = []
    for mine, theirs in zip(torch.split(every, batch_size), torch.split(foreign, batch_size), strict=True):
        audio, visual_2d, visual_3d = split.batch(mine)
        other_audio, other_2d, other_3d = split.batch(theirs)
        # As they are, beside a foreign visual track, beside a foreign audio track: one pass.
        output = network(
            torch.cat((audio, audio, other_audio)),
            torch.cat((visual_2d, other_2d, visual_2d)),
            torch.cat((visual_3d, other_3d, visual_3d)),
        )
        larger = torch.maximum(output.audio, output.visual).chunk(3)
        parts.append((output.audio.chunk(3)[0], output.visual.chunk(3)[0], larger[1], larger[2]))
    return Exchange(*(torch.cat(part) for part in zip(*parts, strict=True)))


def relative_errors(exchange: Exchange, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return each class's training error over the largest one, per modality.

    Args:
        exchange: of N videos.
        labels: (N, C), 0 where there is no label.

    Returns:
        Audio and visual, (C,) float64 in [0, 1] each; 0 throughout for a parser without errors.
    """
    present = labels > 0
    errors = [
        ((probability > 0.5) != present).double().mean(0) for probability in (exchange.audio, exchange.visual)
    ]
    audio, visual = (error / error.max().clamp(min=torch.finfo(error.dtype).tiny) for error in errors)
    return audio, visual
