"""How a task network is built, trained, selected and thresholded."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replace_fields
from typing import Any, Literal

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import LossWeights
from rlld_gym.parsing.metrics import SCORE_NAMES
from rlld_gym.parsing.thresholds import HALVES, Thresholds

Gate = Literal["global", "modality", "mixed"]
"""Which pooled probability admits a class to a track: the video's, the modality's own, or the video's to the audio
track and its own to the visual one."""


MEAN = "mean"
"""As a selection: the mean of the ten scores."""


@dataclass(frozen=True)
class Recipe:
    """How a task network is built, trained, selected and thresholded. The defaults are those of "rlld".

    Attributes:
        name: the recipe's name.
        network: registered name of the task network.
        network_options: further arguments of the network's constructor, JSON-able.
        objective: registered name of the objective (see ``rlld_gym.parsing.objectives``); None: the network's own.
        objective_options: further arguments of the objective's constructor, JSON-able.
        flavour: variant of HAN ("han", or "jomold" with dropout before the visual classifier).
        optimizer: "adam", or "adamw", whose weight decay is apart from the gradient.
        learning_rate: Adam's highest rate.
        weight_decay: Adam's weight decay.
        first_moment_decay: Adam's first beta.
        second_moment_decay: Adam's second beta; nearer to 1, steps forget large gradients more slowly.
        gradient_clip: largest norm of a step's gradient, longer ones are scaled down to it; None: any norm.
        warm_up: epochs, or a part of one, in which the rate rises linearly from 0.
        decay: how the rate falls: in "step"s, or "linear"ly to 0 at the end, or as "cosine": constant within an
            epoch, e / ``warm_up`` of the rate in epochs e before ``warm_up``, then half a cosine down to
            ``lowest_learning_rate``.
        lowest_learning_rate: with "cosine".
        step_size: with "step", epochs after which the rate is multiplied by ``gamma``, again and again.
        gamma: factor of the rate.
        online_learning_rate: constant rate of a network that is trained online, as in the environment, where no
            schedule applies; None: ``learning_rate``.
        averaging: factor by which an exponential moving average of the weights forgets with every step; the
            average is what is validated and kept. 0: no average.
        epochs: passes over the training videos.
        batch_size: videos in a batch; the last, smaller batch of an epoch is used too.
        video_weight: weight of the video-level cross-entropy.
        audio_weight: weight of the audio cross-entropy.
        visual_weight: weight of the visual cross-entropy.
        contrastive_weight: weight of the contrastive loss; 0 leaves it out.
        contrastive: its variant (see ``rlld_gym.parsing.losses``); "ma" compares the audio sequence after the
            attention layers with the visual one before them.
        contrastive_smoothing: smoothing of its targets.
        temperature: temperature of its similarities.
        audio_confidence: label smoothing of audio targets; 1 means none (see ``smooth_labels``).
        visual_confidence: likewise, visual.
        video_target: what the video output is trained towards: the "union" of the two modalities' revised
            labels (Eq. 6 of RLLD, arXiv 2412.19563), the "original" video label, or the revised "audio" label, as
            in the released code of Wu and Yang, CVPR 2021, where an audio label is removed from the video's, too.
        clamp: pooled probabilities are clamped to [clamp, 1 - clamp] before the cross-entropy.
        precision: of the encoder's matrix products in training. "bfloat16": by autocast; weights, head, loss and
            optimizer stay in float32, and so does everything outside training.
        gate: which pooled probability must reach its threshold for a class to be predicted at all.
        thresholds: that probabilities must reach.
        selection: the validation score by which the best epoch is chosen, ties going to the later epoch; "mean":
            the mean of the ten; "last": the last epoch, whatever the scores.
    """

    name: str
    network: str = "han"
    network_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    objective: str | None = None
    objective_options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    flavour: Literal["han", "jomold"] = "jomold"
    optimizer: Literal["adam", "adamw"] = "adam"
    learning_rate: float = 5e-4
    weight_decay: float = 0.0
    first_moment_decay: float = 0.9
    second_moment_decay: float = 0.999
    gradient_clip: float | None = None
    warm_up: float = 0.0
    decay: Literal["step", "linear", "cosine"] = "step"
    lowest_learning_rate: float = 0.0
    step_size: int = 6
    gamma: float = 0.25
    online_learning_rate: float | None = None
    averaging: float = 0.0
    epochs: int = 25
    batch_size: int = 128
    video_weight: float = 1.0
    audio_weight: float = 2.0
    visual_weight: float = 1.0
    contrastive_weight: float = 0.0
    contrastive: Literal["jomold", "ma"] = "jomold"
    contrastive_smoothing: float = 0.1
    temperature: float = 0.2
    audio_confidence: float = 1.0
    visual_confidence: float = 1.0
    video_target: Literal["union", "original", "audio"] = "union"
    clamp: float = 1e-7
    precision: Literal["float32", "bfloat16"] = "float32"
    gate: Gate = "modality"
    thresholds: Thresholds = HALVES
    selection: str = "event_audio"

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        least = {"step_size": 1, "epochs": 1, "batch_size": 1}
        for option, minimum in least.items():
            self._require(option, getattr(self, option) >= minimum, f"at least {minimum}")
        for option in ("learning_rate", "gamma", "temperature"):
            self._require(option, getattr(self, option) > 0, "a positive number")
        for option in ("first_moment_decay", "second_moment_decay"):
            self._require(option, 0 <= getattr(self, option) < 1, "at least 0, less than 1")
        clip = self.gradient_clip
        self._require("gradient_clip", clip is None or clip > 0, "a positive number or None")
        online = self.online_learning_rate
        self._require("online_learning_rate", online is None or online > 0, "a positive number or None")
        self._require("warm_up", 0 <= self.warm_up <= self.epochs, "0 to the number of epochs")
        self._require("averaging", 0 <= self.averaging < 1, "at least 0, less than 1")
        choices: dict[str, tuple[str, ...]] = {
            "flavour": ("han", "jomold"),
            "optimizer": ("adam", "adamw"),
            "decay": ("step", "linear", "cosine"),
            "contrastive": ("jomold", "ma"),
            "video_target": ("union", "original", "audio"),
            "precision": ("float32", "bfloat16"),
            "gate": ("global", "modality", "mixed"),
            "selection": (*SCORE_NAMES, MEAN, "last"),
        }
        for option, known in choices.items():
            self._require(option, getattr(self, option) in known, f"one of {', '.join(known)}")

    def _require(self, option: str, valid: bool, expected: str) -> None:
        if not valid:
            raise InputError(
                f"recipe {self.name!r}: {option} is {getattr(self, option)!r}, expected {expected}"
            )

    @property
    def loss_weights(self) -> LossWeights:
        """The weights of the three cross-entropy terms."""
        return LossWeights(video=self.video_weight, audio=self.audio_weight, visual=self.visual_weight)

    def learning_rate_at(self, done: float) -> float:
        """Return the learning rate after a number of epochs, 0 <= done < epochs, whole or not."""
        if self.decay == "cosine":
            return self._cosine_rate(int(done) + 1)
        if self.decay == "linear":
            rate = self.learning_rate * (1.0 - done / self.epochs)
        else:
            rate = self.learning_rate * self.gamma ** (int(done) // self.step_size)
        return rate * done / self.warm_up if done < self.warm_up else rate

    def _cosine_rate(self, epoch: int) -> float:
        if epoch < self.warm_up:
            return self.learning_rate * epoch / self.warm_up
        share = (epoch - self.warm_up) / max(1.0, self.epochs - self.warm_up)
        lowest = self.lowest_learning_rate
        return lowest + (self.learning_rate - lowest) / 2 * (1 + math.cos(math.pi * share))

    def replace(self, **changes: Any) -> "Recipe":
        """Return a copy with some fields changed."""
        return replace_fields(self, **changes)

    def with_network(self, network: str) -> "Recipe":
        """Return a copy that trains another network, with that network's own objective and default options."""
        if network == self.network:
            return self
        return self.replace(network=network, network_options={}, objective=None, objective_options={})

    def shortened(self, epochs: int) -> "Recipe":
        """Return a copy of another length whose rate rises and decays at the same fractions of it."""
        share = epochs / self.epochs
        return self.replace(
            epochs=epochs, step_size=max(1, round(self.step_size * share)), warm_up=self.warm_up * share
        )
