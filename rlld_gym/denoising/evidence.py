"""What a parser says of each label from the label's own modality: is a dog to be seen, is one to be heard?

A parser that looks at both modalities hears the dog and then "sees" it, too; what it says of one of them must come
from that one alone to tell which label is wrong.
"""

import math
from typing import Final, Literal, get_args
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.objectives import Batch
from rlld_gym.torch_settings import own_torch_settings
from rlld_gym.turns import in_turn

EvidenceSource = Literal["start", "current"]
EVIDENCE_SOURCES: Final[tuple[EvidenceSource, ...]] = get_args(EvidenceSource)

CLAMP: Final = 1e-6
"""Probabilities are clamped to [CLAMP, 1 - CLAMP] before their log-odds are taken."""

EVIDENCE_LIMIT: Final = math.ceil(math.log((1 - CLAMP) / CLAMP))
"""No evidence is larger than this, or smaller than its negative."""

NUM_OTHERS: Final = 4
"""Videos whose tracks take the place of a video's own where a network cannot do without the other modality."""

_known: WeakKeyDictionary[SplitTensors, WeakKeyDictionary[TaskNetwork, Tensor]] = WeakKeyDictionary()


@own_torch_settings()
@torch.no_grad()
def evidence(
    network: TaskNetwork, split: SplitTensors, indices: Tensor | None = None, batch_size: int = 256
) -> Tensor:
    """Return a parser's pooled log-odds of each class in each modality, from that modality alone.

    Networks whose ``separates_modalities`` is True are asked without cross-attention. Others see, in place of the
    other modality, that of `NUM_OTHERS` other videos one after the other, and the log-odds are averaged; which ones
    depends on the video and the split only.

    The network is evaluated without dropout and left in the mode it was in; no random number is drawn.

    Args:
        network: on the split's device.
        split: N videos.
        indices: (M,) int64, the videos to look at, on the same device; None: all.
        batch_size: videos in a pass; it does not matter for the result but for rounding.

    Returns:
        (M, 2, C) float32, audio then visual, within -`EVIDENCE_LIMIT` and `EVIDENCE_LIMIT`, on the same device.
    """
    if indices is None:
        indices = torch.arange(len(split), device=split.labels.device)
    was_training = network.training
    network.eval()
    try:
        parts = [_of_batch(network, split, rows) for rows in torch.split(indices, batch_size)]
    finally:
        network.train(was_training)
    return torch.cat(parts)


@in_turn()
def known_evidence(network: TaskNetwork, split: SplitTensors) -> Tensor:
    """Return `evidence` of all videos of a split, kept in memory as long as network and split.

    Args:
        network: whose weights do not change any more.
        split: N videos.

    Returns:
        (N, 2, C) float32, read-only by convention.
    """
    known = _known.setdefault(split, WeakKeyDictionary())
    if network not in known:
        known[network] = evidence(network, split)
    return known[network]


def modality_evidence(network: TaskNetwork, features: Batch) -> Tensor:
    """Return `evidence` for a batch on its own, in the mode the network is in.

    Args:
        network: on the features' device.
        features: audio (B, T, Da), visual 2D (B, T, D2) and 3D (B, T, D3), float32. A network that cannot tell
            modalities apart is shown, in place of the other modality, that of other videos of the batch.

    Returns:
        (B, 2, C) float32.
    """
    if network.separates_modalities:
        output = network(*features, cross_attention=False)
        return _log_odds(output.audio, output.visual)
    batch = len(features[0])
    total = torch.zeros((), device=features[0].device)
    for other in range(1, NUM_OTHERS + 1):
        rows = (torch.arange(batch, device=total.device) + 1 + other * batch // (NUM_OTHERS + 1)) % batch
        strangers = (features[0][rows], features[1][rows], features[2][rows])
        total = total + _with_strangers(network, features, strangers)
    return total / NUM_OTHERS


def _of_batch(network: TaskNetwork, split: SplitTensors, rows: Tensor) -> Tensor:
    features = split.batch(rows)
    if network.separates_modalities:
        return modality_evidence(network, features)
    total = torch.zeros((), device=rows.device)
    for other in range(1, NUM_OTHERS + 1):
        strangers = split.batch((rows + 1 + other * len(split) // (NUM_OTHERS + 1)) % len(split))
        total = total + _with_strangers(network, features, strangers)
    return total / NUM_OTHERS


def _with_strangers(network: TaskNetwork, features: Batch, strangers: Batch) -> Tensor:
    """Return log-odds (B, 2, C) of videos each of whose modalities comes with another video's other one."""
    audio = network(features[0], *strangers[1:]).audio
    visual = network(strangers[0], *features[1:]).visual
    return _log_odds(audio, visual)


def _log_odds(audio: Tensor, visual: Tensor) -> Tensor:
    return torch.logit(torch.stack((audio, visual), dim=1).float(), eps=CLAMP)
