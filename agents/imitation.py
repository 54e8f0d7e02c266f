"""Warm start: a policy learns from the validation videos which labels were wrong.

RLLD pays its reward out of the validation videos' dense labels. The same labels say directly, for 649 videos of
LLP, which modality a label is true of, and a policy can imitate that decision instead of guessing it from a score.
The honest name of the result is supervised learning on the validation split; it is the control that any reward must
beat, and the start from which rewards can go on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks.attention import Attention
from rlld_gym.parsing.networks.han import HANLayer
from rlld_gym.parsing.randomness import seeded_random_state

from .denoise import denoise, observe
from .policy import HybridAttentionPolicy


@dataclass(frozen=True)
class ImitationConfig:
    """Options of the warm start."""

    epochs: int = 20
    """Passes over the validation videos."""
    batch_size: int = 32
    """Videos of a gradient step."""
    encoder_learning_rate: float = 1e-3
    """AdamW's first learning rate for stem and attention layer; falls linearly to zero."""
    head_learning_rate: float = 2e-3
    """The same for all that is new."""
    weight_decay: float = 0.05
    """AdamW's weight decay."""
    dropout: float = 0.2
    """Dropout in the attention layer while imitating; the policy has none afterwards."""
    segment_weight: float = 1.0
    """Weight of the same loss on the single segments, whose log-odds the policy pools: where is the event not?"""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        rules = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 1,
            "encoder_learning_rate": self.encoder_learning_rate >= 0,
            "head_learning_rate": self.head_learning_rate > 0,
            "weight_decay": self.weight_decay >= 0,
            "dropout": 0 <= self.dropout < 1,
            "segment_weight": self.segment_weight >= 0,
        }
        for name, holds in rules.items():
            if not holds:
                raise InputError(f"option {name}: found {getattr(self, name)}, which makes no sense")


def imitate(
    policy: HybridAttentionPolicy,
    validation: SplitTensors,
    config: ImitationConfig,
    *,
    seed: int = 0,
    indices: Tensor | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train a policy to remove exactly the labels that are not true of their modality.

    Cross-entropy of the removal probability on the labels that are present, plus the auxiliary loss. Everything
    random depends on ``seed``; the global random state is left alone.

    Args:
        policy: trained in place, on the videos' device.
        validation: videos with dense labels.
        config: the options.
        seed: of the order of the videos and of dropout.
        indices: (V,) int64, the videos to learn from; None: all.
        progress: called with (epochs done, epochs in all) after every epoch.

    Raises:
        ValueError: the videos have no dense labels.
    """
    absent, silent = _truth(validation)
    if indices is None:
        indices = torch.arange(len(validation), device=validation.labels.device)
    with seeded_random_state(seed, validation.labels.device), _dropout(policy, config.dropout):
        optimizer = _optimizer(policy, config)
        steps = config.epochs * -(-len(indices) // config.batch_size)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        for epoch in range(1, config.epochs + 1):
            order = indices[torch.randperm(len(indices), device=indices.device)]
            for batch in torch.split(order, config.batch_size):
                present = validation.labels[batch].unsqueeze(1)
                h_audio, h_visual = policy.encode(*observe(validation, batch, policy.initialized_labels))
                loss = _masked_loss(policy.logits(h_audio, h_visual), absent[batch], present)
                if config.segment_weight:
                    each = (policy.audio_head.logit(h_audio), policy.visual_head.logit(h_visual))
                    auxiliary = _masked_loss(torch.stack(each, dim=2), silent[batch], present.unsqueeze(1))
                    loss = loss + config.segment_weight * auxiliary
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
            if progress is not None:
                progress(epoch, config.epochs)


def cross_validate(
    make_policy: Callable[[], HybridAttentionPolicy],
    data: StoreTensors,
    config: ImitationConfig,
    *,
    folds: int = 5,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return removal probabilities of the validation videos by policies that did not learn from them.

    With the videos' dense labels they give an honest estimate of how well the warm start removes labels
    (`rlld_agents.removal.removal_quality`), also for data whose training labels nobody knows.

    Args:
        make_policy: returns a policy that starts like the one to be judged, on the data's device.
        data: the data set.
        config: of the imitation.
        folds: parts of the validation split; each is judged by a policy that learned from the others.
        seed: of the parts and of the imitation.

    Returns:
        (V, 2, C) float32 in [0, 1], audio then visual; 0 where there is no label.

    Raises:
        InputError: fewer than two folds, or more than there are videos.
    """
    validation = data["val"]
    if not 2 <= folds <= len(validation):
        raise InputError(f"folds: found {folds}, expected 2 to {len(validation)}, the validation videos")
    order = torch.randperm(len(validation), generator=torch.Generator().manual_seed(seed))
    parts = order.to(validation.labels.device).chunk(folds)
    probability = np.zeros((len(validation), 2, validation.labels.shape[-1]), np.float32)
    for left_out, part in enumerate(parts):
        others = torch.cat([other for index, other in enumerate(parts) if index != left_out])
        policy = make_policy()
        imitate(policy, validation, config, seed=seed + left_out, indices=others)
        rows = part.cpu().numpy()
        probability[rows] = denoise(policy, data, split="val").removal_probability[rows]
    return probability


def _truth(validation: SplitTensors) -> tuple[Tensor, Tensor]:
    """Return which classes a modality lacks in the whole video (V, 2, C) and in each segment (V, T, 2, C)."""
    if validation.dense_audio is None or validation.dense_visual is None:
        raise ValueError("imitation needs dense labels of the validation videos, this split has none")
    segments = torch.stack((validation.dense_audio, validation.dense_visual), dim=2)
    return (~segments.any(dim=1)).float(), (~segments).float()


def _masked_loss(logits: Tensor, targets: Tensor, present: Tensor) -> Tensor:
    """Return the mean cross-entropy over the entries whose label is present."""
    weights = present.expand_as(logits)
    losses = functional.binary_cross_entropy_with_logits(logits, targets, weight=weights, reduction="sum")
    return losses / weights.sum().clamp(min=1)


def _optimizer(policy: nn.Module, config: ImitationConfig) -> torch.optim.AdamW:
    """Return AdamW with one learning rate for the encoder and one for all else."""
    encoder: list[nn.Parameter] = []
    heads: list[nn.Parameter] = []
    for name, parameter in policy.named_parameters():
        (encoder if name.startswith(("stem.", "layer.")) else heads).append(parameter)
    groups = [
        {"params": encoder, "lr": config.encoder_learning_rate},
        {"params": heads, "lr": config.head_learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay)


@contextmanager
def _dropout(policy: HybridAttentionPolicy, probability: float) -> Iterator[None]:
    """Switch dropout on in the policy's attention layer; afterwards the policy is in evaluation mode, without."""
    parts = [part for part in policy.layer.modules() if isinstance(part, HANLayer | Attention)]
    policy.train()
    for part in parts:
        part.dropout = probability
    try:
        yield
    finally:
        for part in parts:
            part.dropout = 0.0
        policy.eval()
