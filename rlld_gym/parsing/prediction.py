"""From a task network's probabilities to event tracks and their scores."""

from collections.abc import Iterator

import torch
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors
from rlld_gym.parsing.metrics import ParsingScores, parsing_scores
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.recipes import Gate
from rlld_gym.parsing.thresholds import HALVES, Thresholds
from rlld_gym.profiling import timed_part
from rlld_gym.torch_settings import own_torch_settings

THRESHOLD = 0.5
"""A probability that reaches it counts as positive."""


def gated_tracks(output: ParsingOutput, gate: Gate, thresholds: Thresholds = HALVES) -> tuple[Tensor, Tensor]:
    """Threshold segment probabilities of classes that the pooled probabilities admit.

    Args:
        output: probabilities of B videos.
        gate: "global" admits a class to both tracks by the video probability (Tian et al., ECCV 2020),
            "modality" to each track by that modality's own probability (Cheng et al., ECCV 2022), "mixed" to the
            audio track by the video probability, to the visual one by its own (Zhao et al., AAAI 2025).
        thresholds: that probabilities must reach.

    Returns:
        The audio and the visual track, (B, T, C) bool each.

    Raises:
        ValueError: for another gate.
        InputError: there are thresholds for another number of classes.
    """
    admitting = {
        "global": (output.video, output.video),
        "modality": (output.audio, output.visual),
        "mixed": (output.video, output.visual),
    }
    if gate not in admitting:
        raise ValueError(f"gate is {gate!r}: expected one of {', '.join(admitting)}")
    gates = torch.stack(admitting[gate], dim=1)
    admitted = (gates >= thresholds.pooled(gates)).unsqueeze(1)
    audio, visual = ((output.segment >= thresholds.segment) & admitted).unbind(2)
    return audio, visual


@torch.no_grad()
def outputs_of(network: TaskNetwork, split: SplitTensors, batch_size: int = 128) -> Iterator[ParsingOutput]:
    """Yield a network's output of every batch of a split, in its order.

    The network is evaluated without dropout and left in the mode it was in; no random number is drawn.

    Args:
        network: on the split's device.
        split: N videos.
        batch_size: videos in a pass; it does not matter for the result.
    """
    every = torch.arange(len(split), device=split.labels.device)
    was_training = network.training
    network.eval()
    try:
        for indices in torch.split(every, batch_size):
            yield network(*split.batch(indices))
    finally:
        network.train(was_training)


@own_torch_settings()
@timed_part("validation")
@torch.no_grad()
def predict(
    network: TaskNetwork,
    split: SplitTensors,
    gate: Gate,
    batch_size: int = 128,
    *,
    thresholds: Thresholds = HALVES,
) -> tuple[Tensor, Tensor]:
    """Parse all videos of a split.

    The network is evaluated without dropout and left in the mode it was in; no random number is drawn.

    Args:
        network: on the split's device.
        split: N videos.
        gate: see ``gated_tracks``.
        batch_size: videos in a pass; it does not matter for the result.
        thresholds: see ``gated_tracks``.

    Returns:
        The audio and the visual track, (N, T, C) bool each, on the split's device, in the split's order.
    """
    outputs = outputs_of(network, split, batch_size)
    parts = [gated_tracks(output, gate, thresholds) for output in outputs]
    return torch.cat([audio for audio, _ in parts]), torch.cat([visual for _, visual in parts])


@own_torch_settings()
@timed_part("validation")
def evaluate(
    network: TaskNetwork, split: SplitTensors, gate: Gate, *, thresholds: Thresholds = HALVES
) -> ParsingScores:
    """Score a network on a split with dense labels (see ``predict`` and ``parsing_scores``).

    Raises:
        ValueError: the split's dense labels are unknown.
    """
    if split.dense_audio is None or split.dense_visual is None:
        raise ValueError("this split has no dense labels to compare predictions with")
    return parsing_scores(
        *predict(network, split, gate, thresholds=thresholds), split.dense_audio, split.dense_visual
    )
