"""Small-loss selection, the rule that Co-teaching+ and JoCoR share, for labels of two modalities.

Both methods were made for one label a picture: of a batch, the pictures with the largest loss are forgotten, as
large a share as is thought to be noise. Papers and code do not say what that means for several labels a video and
two modalities. Our port decides about single labels: only labels that are present can be noise, each modality has
its own, and a label competes with the other labels of its class (or of its modality) in the batch.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from rlld_agents.baselines.base import Context
from rlld_gym.data.classes import AUDIO_NOISE_RATE, VISUAL_NOISE_RATE
from rlld_gym.errors import InputError

Group = Literal["class", "modality"]
"""With which labels of the batch a label competes: those of its class and modality, or all of its modality."""

Rates = Literal["modality", "validation"]
"""Where the noise rates come from: one per modality, or each class's on the validation split."""


@dataclass(frozen=True)
class SmallLoss:
    """Options that Co-teaching+ and JoCoR share."""

    audio_rate: float = AUDIO_NOISE_RATE
    """Share of the audio labels that is thought to be noise; the default is LLP's, on its validation and test
    videos."""
    visual_rate: float = VISUAL_NOISE_RATE
    """Likewise, visual."""
    rates: Rates = "modality"
    """"modality": the two rates above, for every class; "validation": each class's share of wrong labels among
    the validation videos, where those have labels of the class, else the rate above."""
    group: Group = "class"
    """Whose losses a label's is compared with: "class" or "modality"."""
    ramp: float = 0.4
    """Share of the epochs in which the rates rise from zero: ten epochs, as in both papers, of the 25 that
    the recipe "rlld" has."""
    votes: float = 0.4
    """Share of the epochs, the last ones, whose selections decide which labels are removed."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        for option in ("audio_rate", "visual_rate", "ramp", "votes"):
            if not 0 <= getattr(self, option) <= 1:
                raise InputError(f"{option} is {getattr(self, option)}, expected a share from 0 to 1")
        for option, known in (("rates", ("modality", "validation")), ("group", ("class", "modality"))):
            if getattr(self, option) not in known:
                raise InputError(
                    f"{option} is {getattr(self, option)!r}, expected {known[0]!r} or {known[1]!r}"
                )

    def noise_rates(self, context: Context) -> Tensor:
        """Return the noise rates, (2, C) float64 in [0, 1], audio then visual, on the data's device.

        Raises:
            InputError: they are to come from validation videos that have no dense labels.
        """
        validation = context.data["val"]
        fixed = torch.tensor([[self.audio_rate], [self.visual_rate]], dtype=torch.float64)
        rates = fixed.expand(2, validation.labels.shape[-1]).clone().to(validation.labels.device)
        if self.rates == "modality":
            return rates
        if validation.dense_audio is None or validation.dense_visual is None:
            raise InputError(
                "rates is 'validation', but the validation videos have no dense labels; use 'modality'"
            )
        present = validation.labels > 0
        true = torch.stack((validation.dense_audio.any(1), validation.dense_visual.any(1)), dim=1)
        labels = present.sum(0)
        share = (present.unsqueeze(1) & ~true).sum(0).double() / labels.clamp(min=1)
        return torch.where(labels > 0, share, rates)


def epochs_of(share: float, epochs: int) -> int:
    """Return how many epochs a share of them is, at least one."""
    return max(1, round(share * epochs))


def forget_factor(epoch: int, ramp_epochs: int) -> float:
    """Return by what the noise rates are multiplied: evenly from 0 to 1 in the first epochs, then 1.

    Args:
        epoch: counted from 1.
        ramp_epochs: at least 1; the factor is 1 from their last one on, but always 0 in epoch 1.
    """
    if epoch > ramp_epochs:
        return 1.0
    return (epoch - 1) / max(ramp_epochs - 1, 1)


def large_loss_share(losses: Tensor, labels: Tensor, group: Group = "class") -> Tensor:
    """Return the least noise rate at which each label would be forgotten.

    That is the share of its group's labels whose loss is at least as large, itself included. At a rate R the
    labels with a share of at most R are forgotten, floor(R n) of n. (The methods' own code keeps the integer part
    of (1 - R) n, so it forgets one label of every group, however small; with groups of two or three labels
    that is far more than a share R.)

    Args:
        losses: (B, 2, C) float, finite.
        labels: (B, 2, C) bool, the labels that take part.
        group: with whom a label competes.

    Returns:
        (B, 2, C) float64 in (0, 1]; infinite where there is no label. Of equal losses the later one is
        forgotten first.
    """
    shape = losses.shape
    if group == "modality":
        losses, labels = (values.movedim(1, 2).flatten(0, 1).unsqueeze(-1) for values in (losses, labels))
    order = losses.masked_fill(~labels, torch.inf).argsort(dim=0, stable=True)
    places = torch.arange(len(losses), device=losses.device)[:, None, None].expand_as(order)
    rank = torch.empty_like(order).scatter_(0, order, places.contiguous())
    count = labels.sum(0)
    share = ((count - rank) / count.clamp(min=1).double()).masked_fill(~labels, torch.inf)
    if group == "modality":
        share = share.reshape(shape[0], shape[2], shape[1]).movedim(1, 2)
    return share


def removal_scores(shares: Tensor, rates: Tensor) -> Tensor:
    """Turn the votes on every label into a score that is at least one half where most votes forget it.

    Args:
        shares: (V, N, 2, C) float, what ``large_loss_share`` returned in V votes.
        rates: (2, C) float in [0, 1], the noise rates.

    Returns:
        (N, 2, C) float32 in [0, 1]: rate / (rate + median share), of two medians the larger one; at least one
        half exactly where the label is forgotten in more than half of the votes; 0 where there is no label.
    """
    middle = shares.sort(dim=0).values[len(shares) // 2].double()
    score = rates / (rates + middle)
    # Rounding to single precision must move no score across one half.
    below = np.nextafter(np.float32(0.5), np.float32(0.0))
    return torch.where(middle <= rates, score.clamp(min=0.5), score.clamp(max=float(below))).float()
