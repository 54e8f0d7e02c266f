"""Imitation: a policy learns from videos with dense labels which of their weak labels are wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_agents.imitation.recombination import Tracks, recombine
from rlld_agents.policies.base import StartablePolicy
from rlld_agents.policies.denoising import with_labels
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.errors import InputError
from rlld_gym.parsing.randomness import draws_own, own_generator, seeded_random_state
from rlld_gym.torch_settings import own_torch_settings

SEEDS_APART = 1_000_003
"""Between the random states of neighbouring seeds lie those of as many epochs."""


@dataclass(frozen=True)
class ImitationConfig:
    """Options of the imitation."""

    epochs: int = 8
    """Passes over the videos, at most; the learning rates fall linearly to zero over them."""
    batch_size: int = 32
    """Videos of a gradient step."""
    encoder_learning_rate: float = 2e-3
    """AdamW's first learning rate for what came from the parser."""
    head_learning_rate: float = 4e-3
    """The same for all that is new."""
    weight_decay: float = 0.05
    """AdamW's weight decay."""
    dropout: float = 0.2
    """Dropout while imitating; the policy has none afterwards."""
    segment_weight: float = 1.0
    """Weight of the same loss on the single segments, whose log-odds the policy pools: where is the event not?"""
    recombinations: int = 1
    """New videos for each video of a gradient step, made of the tracks of several (`recombine`); 0: none."""

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
            "recombinations": self.recombinations >= 0,
        }
        for name, holds in rules.items():
            if not holds:
                raise InputError(f"option {name}: found {getattr(self, name)}, which makes no sense")


PLAIN = ImitationConfig(recombinations=0)
"""Imitation of the videos as they are, the control."""


class Imitation:
    """A policy that learns by imitation, one epoch at a time.

    The loss is the cross-entropy of the removal probability on the labels that are present, pooled and per segment.
    Recombined videos count as much as the others.
    An epoch's randomness depends on seed and epoch alone, so policies can take turns; global states are left alone.

    Args:
        policy: trained in place, on the videos' device.
        validation: videos with dense labels.
        config: the options.
        seed: of the order of the videos and of dropout.
        indices: (V,) int64, the videos to learn from; None: all.

    Raises:
        ValueError: the videos have no dense labels.
    """

    def __init__(
        self,
        policy: StartablePolicy,
        validation: SplitTensors,
        config: ImitationConfig,
        *,
        seed: int = 0,
        indices: Tensor | None = None,
    ) -> None:
        self.policy = policy
        self.config = config
        self.seed = seed
        self.epochs_done = 0
        self._validation = validation
        _, self._silent = absent_classes(validation)
        device = validation.labels.device
        self._indices = torch.arange(len(validation), device=device) if indices is None else indices
        self._optimizer = _optimizer(policy, config)
        steps = config.epochs * -(-len(self._indices) // config.batch_size)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(
            self._optimizer, lambda step: max(0.0, 1 - step / steps)
        )

    def epoch(self) -> None:
        """Pass once over the videos; afterwards the policy is in evaluation mode, without dropout."""
        self.epochs_done += 1
        state, device = self.seed * SEEDS_APART + self.epochs_done, self._indices.device
        self.policy.set_dropout(self.config.dropout)
        self.policy.train()
        try:
            with seeded_random_state(state % 2**63, device, own=draws_own(self.policy)):
                order = self._indices[
                    torch.randperm(len(self._indices), generator=own_generator(device), device=device)
                ]
                for batch in torch.split(order, self.config.batch_size):
                    self._optimizer.zero_grad()
                    torch.autograd.backward(self._loss(batch))
                    self._optimizer.step()
                    self._schedule.step()
        finally:
            self.policy.set_dropout(0.0)
            self.policy.eval()

    def _loss(self, batch: Tensor) -> Tensor:
        """Return the loss of some videos, and of as many recombined ones as the options say."""
        videos = Tracks(*self._validation.features(batch), self._silent.index_select(0, batch))
        parts = [(videos, self._validation.labels.index_select(0, batch))]
        for _ in range(self.config.recombinations):
            new = recombine(videos)
            parts.append((new, new.labels()))
        tracks = Tracks(*(torch.cat(part) for part in zip(*(part for part, _ in parts), strict=True)))
        present = torch.cat([labels for _, labels in parts])
        states = (
            with_labels(tracks.audio, tracks.visual, present)
            if self.policy.initialized_labels
            else tracks[:2]
        )
        segments, pooled = self.policy.segments_and_pooled(*states)
        loss = _masked_loss(pooled, tracks.absent(), present.unsqueeze(1))
        if self.config.segment_weight:
            auxiliary = _masked_loss(segments, tracks.silent, present.unsqueeze(1).unsqueeze(1))
            loss = loss + self.config.segment_weight * auxiliary
        return loss


@own_torch_settings()
def imitate(
    policy: StartablePolicy,
    validation: SplitTensors,
    config: ImitationConfig,
    *,
    seed: int = 0,
    indices: Tensor | None = None,
    epochs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train a policy to remove exactly the labels that are not true of their modality.

    Args:
        policy: trained in place; see `Imitation`, also for the other arguments.
        validation: videos with dense labels.
        config: the options.
        seed: of everything random.
        indices: the videos to learn from.
        epochs: stop after as many, on the schedule of all; None: all of ``config``.
        progress: called with (epochs done, epochs in all) after every epoch.

    Raises:
        ValueError: the videos have no dense labels.
    """
    imitation = Imitation(policy, validation, config, seed=seed, indices=indices)
    total = config.epochs if epochs is None else min(epochs, config.epochs)
    for epoch in range(1, total + 1):
        imitation.epoch()
        if progress is not None:
            progress(epoch, total)


def absent_classes(videos: SplitTensors) -> tuple[Tensor, Tensor]:
    """Return as 0 and 1 which classes a modality lacks: in all the video (V, 2, C), per segment (V, T, 2, C).

    Raises:
        ValueError: the videos have no dense labels.
    """
    if videos.dense_audio is None or videos.dense_visual is None:
        raise ValueError("imitation needs dense labels of the validation videos, this split has none")
    segments = torch.stack((videos.dense_audio, videos.dense_visual), dim=2)
    return (~segments.any(dim=1)).float(), (~segments).float()


def _masked_loss(logits: Tensor, targets: Tensor, present: Tensor) -> Tensor:
    """Return the mean cross-entropy over the entries whose label is present."""
    weights = present.expand_as(logits)
    losses = functional.binary_cross_entropy_with_logits(logits, targets, weight=weights, reduction="sum")
    return losses / weights.sum().clamp(min=1)


def _optimizer(policy: StartablePolicy, config: ImitationConfig) -> torch.optim.AdamW:
    """Return AdamW with one learning rate for what came from the parser and one for all else."""
    encoder = [weight for part in policy.encoder_parts() for weight in part.parameters()]
    copied = {id(weight) for weight in encoder}
    heads: list[nn.Parameter] = [weight for weight in policy.parameters() if id(weight) not in copied]
    groups = [
        {"params": encoder, "lr": config.encoder_learning_rate},
        {"params": heads, "lr": config.head_learning_rate},
    ]
    return torch.optim.AdamW(groups, weight_decay=config.weight_decay, fused=True)
