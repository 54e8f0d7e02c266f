"""From a task network's probabilities to event tracks and their scores."""

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.metrics import ParsingScores, parsing_scores
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.recipes import Gate
from rlld_gym.profiling import timed_part

THRESHOLD = 0.5
"""A probability that reaches it counts as positive."""


def gated_tracks(output: ParsingOutput, gate: Gate) -> tuple[Tensor, Tensor]:
    """Threshold segment probabilities of classes that the pooled probabilities admit.

    Args:
        output: probabilities of B videos.
        gate: "global" admits a class to both tracks by the video probability (Tian et al., ECCV 2020),
            "modality" to each track by that modality's own probability (Cheng et al., ECCV 2022).

    Returns:
        The audio and the visual track, (B, T, C) bool each.

    Raises:
        ValueError: for another gate.
    """
    if gate == "global":
        gates = output.video[:, None, None, :]
    elif gate == "modality":
        gates = torch.stack((output.audio, output.visual), dim=1)[:, None]
    else:
        raise ValueError(f"gate is {gate!r}: expected 'global' or 'modality'")
    audio, visual = ((output.segment >= THRESHOLD) & (gates >= THRESHOLD)).unbind(2)
    return audio, visual


@timed_part("validation")
@torch.no_grad()
def predict(
    network: TaskNetwork, split: SplitTensors, gate: Gate, batch_size: int = 128
) -> tuple[Tensor, Tensor]:
    """Parse all videos of a split.

    The network is evaluated without dropout and left in the mode it was in; no random number is drawn.

    Args:
        network: on the split's device.
        split: N videos.
        gate: see ``gated_tracks``.
        batch_size: videos in a pass; it does not matter for the result.

    Returns:
        The audio and the visual track, (N, T, C) bool each, on the split's device, in the split's order.
    """
    every = torch.arange(len(split), device=split.labels.device)
    was_training = network.training
    network.eval()
    try:
        parts = [
            gated_tracks(network(*split.batch(indices)), gate) for indices in torch.split(every, batch_size)
        ]
    finally:
        network.train(was_training)
    return torch.cat([audio for audio, _ in parts]), torch.cat([visual for _, visual in parts])


@timed_part("validation")
def evaluate(network: TaskNetwork, split: SplitTensors, gate: Gate) -> ParsingScores:
    """Score a network on a split with dense labels (see ``predict`` and ``parsing_scores``).

    Raises:
        ValueError: the split's dense labels are unknown.
    """
    if split.dense_audio is None or split.dense_visual is None:
        raise ValueError("this split has no dense labels to compare predictions with")
    return parsing_scores(*predict(network, split, gate), split.dense_audio, split.dense_visual)
