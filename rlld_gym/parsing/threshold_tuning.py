"""Thresholds that are chosen, class by class, on videos whose scores are not reported (CMPAE, CVPR 2023)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from rlld_gym.data.split import Split
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import parsing_scores
from rlld_gym.parsing.networks import ParsingOutput, TaskNetwork
from rlld_gym.parsing.prediction import gated_tracks, outputs_of
from rlld_gym.parsing.recipes import Gate
from rlld_gym.parsing.thresholds import Thresholds
from rlld_gym.torch_settings import own_torch_settings

CANDIDATES: Final[tuple[float, ...]] = tuple(round(0.25 + 0.05 * step, 2) for step in range(10))
"""0.25, 0.30, ..., 0.70."""


def check_tunable(split: Split, what: str) -> None:
    """Raise InputError unless a split can be divided in two halves with dense labels; ``what`` it is."""
    if split.dense_audio is None:
        raise InputError(f"{what} has no dense labels to tune thresholds on; leave the option away")
    if len(split) < 2:
        raise InputError(
            f"{what} has {len(split)} video; expected one to tune on and one to report; leave the option away"
        )


def tuning_and_reporting(split: SplitTensors) -> tuple[SplitTensors, SplitTensors]:
    """Divide a split in two halves: every other video to tune thresholds on, the others to report scores of."""
    rows = torch.arange(len(split), device=split.labels.device)
    return split.rows(rows[::2]), split.rows(rows[1::2])


@own_torch_settings()
def tuned_thresholds(
    network: TaskNetwork,
    split: SplitTensors,
    gate: Gate,
    start: Thresholds,
    candidates: Sequence[float] = CANDIDATES,
) -> Thresholds:
    """Choose the visual threshold of each class that makes the event-level visual F-score largest.

    Each class by itself, with all others at their start; ties go to the higher threshold. The publication does
    this with the network of its eighth epoch and uses the result with the best one.

    Args:
        network: trained, on the split's device.
        split: with dense labels; its scores say little once thresholds are tuned on it.
        gate: see ``gated_tracks``; with "global" visual thresholds apply to the video's probabilities.
        start: audio and segment thresholds, which stay, and the visual one of the other classes.
        candidates: between 0 and 1.

    Returns:
        ``start`` with one visual threshold a class.

    Raises:
        ValueError: the split has no dense labels.
    """
    if split.dense_audio is None or split.dense_visual is None:
        raise ValueError("this split has no dense labels to tune thresholds on")
    outputs = list(outputs_of(network, split))
    output = ParsingOutput(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))
    truth = (split.dense_audio, split.dense_visual)
    classes = split.labels.shape[-1]
    usual = start.visual if isinstance(start.visual, tuple) else (start.visual,) * classes
    ordered = sorted(candidates)
    tracks = {
        value: gated_tracks(output, gate, replace(start, visual=(value,) * classes))[1] for value in ordered
    }
    audio, visual = gated_tracks(output, gate, replace(start, visual=usual))
    chosen = []
    for number in range(classes):
        scores = []
        for value in ordered:
            changed = visual.clone()
            changed[..., number] = tracks[value][..., number]
            scores.append(_event_visual(audio, changed, truth))
        chosen.append(max(zip(scores, ordered, strict=True))[1])
    return replace(start, visual=tuple(chosen))


def _event_visual(audio: Tensor, visual: Tensor, truth: tuple[Tensor, Tensor]) -> float:
    return parsing_scores(audio, visual, *truth).as_dict()["event_visual"]
