"""Training recipes of task networks, as data."""

from dataclasses import dataclass
from dataclasses import replace as replace_fields
from typing import Any, Final, Literal

from rlld_gym.errors import InputError
from rlld_gym.parsing.losses import LossWeights
from rlld_gym.parsing.metrics import SCORE_NAMES

Gate = Literal["global", "modality"]
"""Which pooled probability admits a class to a track: the video's, or the modality's own."""


@dataclass(frozen=True)
class Recipe:
    """How a task network is built, trained, selected and thresholded. The defaults are those of "rlld".

    Attributes:
        name: the recipe's name.
        network: registered name of the task network.
        flavour: variant of the network ("han", or "jomold" with dropout before the visual classifier).
        learning_rate: Adam's highest rate.
        weight_decay: Adam's weight decay.
        second_moment_decay: Adam's second beta; nearer to 1, steps forget large gradients more slowly.
        gradient_clip: largest norm of a step's gradient, longer ones are scaled down to it; None: any norm.
        warm_up: epochs, or a part of one, in which the rate rises linearly from 0.
        decay: how the rate falls: in "step"s, or "linear"ly to 0 at the end.
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
            labels (Eq. 6 of RLLD, arXiv 2412.19563), or the "original" video label.
        clamp: pooled probabilities are clamped to [clamp, 1 - clamp] before the cross-entropy.
        precision: of the encoder's matrix products in training. "bfloat16": by autocast; weights, head, loss and
            optimizer stay in float32, and so does everything outside training.
        gate: which pooled probability must reach 0.5 for a class to be predicted at all.
        selection: the validation score by which the best epoch is chosen; ties go to the later epoch.
    """

    name: str
    network: str = "han"
    flavour: Literal["han", "jomold"] = "jomold"
    learning_rate: float = 5e-4
    weight_decay: float = 0.0
    second_moment_decay: float = 0.999
    gradient_clip: float | None = None
    warm_up: float = 0.0
    decay: Literal["step", "linear"] = "step"
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
    video_target: Literal["union", "original"] = "union"
    clamp: float = 1e-7
    precision: Literal["float32", "bfloat16"] = "float32"
    gate: Gate = "modality"
    selection: str = "event_audio"

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        least = {"step_size": 1, "epochs": 1, "batch_size": 1}
        for option, minimum in least.items():
            self._require(option, getattr(self, option) >= minimum, f"at least {minimum}")
        for option in ("learning_rate", "gamma", "temperature"):
            self._require(option, getattr(self, option) > 0, "a positive number")
        self._require("second_moment_decay", 0 <= self.second_moment_decay < 1, "at least 0, less than 1")
        clip = self.gradient_clip
        self._require("gradient_clip", clip is None or clip > 0, "a positive number or None")
        online = self.online_learning_rate
        self._require("online_learning_rate", online is None or online > 0, "a positive number or None")
        self._require("warm_up", 0 <= self.warm_up <= self.epochs, "0 to the number of epochs")
        self._require("averaging", 0 <= self.averaging < 1, "at least 0, less than 1")
        choices: dict[str, tuple[str, ...]] = {
            "flavour": ("han", "jomold"),
            "decay": ("step", "linear"),
            "contrastive": ("jomold", "ma"),
            "video_target": ("union", "original"),
            "precision": ("float32", "bfloat16"),
            "gate": ("global", "modality"),
            "selection": SCORE_NAMES,
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
        if self.decay == "linear":
            rate = self.learning_rate * (1.0 - done / self.epochs)
        else:
            rate = self.learning_rate * self.gamma ** (int(done) // self.step_size)
        return rate * done / self.warm_up if done < self.warm_up else rate

    def replace(self, **changes: Any) -> "Recipe":
        """Return a copy with some fields changed."""
        return replace_fields(self, **changes)

    def shortened(self, epochs: int) -> "Recipe":
        """Return a copy of another length whose rate rises and decays at the same fractions of it."""
        share = epochs / self.epochs
        return self.replace(
            epochs=epochs, step_size=max(1, round(self.step_size * share)), warm_up=self.warm_up * share
        )


_RLLD = Recipe(name="rlld")
_HAN = Recipe(
    name="han",
    flavour="han",
    learning_rate=3e-4,
    step_size=10,
    gamma=0.1,
    epochs=40,
    batch_size=16,
    audio_weight=1.0,
    visual_confidence=0.9,
    video_target="original",
    gate="global",
    selection="segment_type",
)
# Half of a 64-wide visual sequence is too little for the visual head: where visual Speech is removed, dropout there
# drives the parser to hear Speech in the wrong segments (5 to 8 points of audio F-score), so "han", not "jomold".
# At this width a parser can settle, in its first epochs, on hearing Speech in the wrong segments, and stay there:
# the higher a rate that nothing leads up to, the oftener. With a slow rise pooling finds the right segments first.
# At such a rate Adam's usual second moment, which a sudden gradient moves too late, lets the loss leap.
_COMPACT = _RLLD.replace(
    name="compact",
    flavour="han",
    learning_rate=8e-3,
    second_moment_decay=0.98,
    gradient_clip=0.3,
    warm_up=3.0,
    decay="linear",
    online_learning_rate=4e-3,
    epochs=8,
    selection="segment_type",
)

RECIPES: Final[dict[str, Recipe]] = {
    recipe.name: recipe
    for recipe in (
        _HAN,
        _RLLD.replace(name="jomold", contrastive_weight=1.0, visual_confidence=0.9, video_target="original"),
        _RLLD,
        _RLLD.replace(name="rlld+cl", contrastive_weight=1.0),
        _RLLD.replace(name="rlld+bf16", precision="bfloat16"),
        _COMPACT,
        _COMPACT.replace(name="compact-tiny", epochs=20, warm_up=7.5),
    )
}
"""Known recipes by name.

"han": Tian et al., ECCV 2020. "jomold": the denoising stage of Cheng et al., ECCV 2022, without its removal
of labels. "rlld": the same network and schedule without label smoothing and contrastive loss (RLLD, arXiv
2412.19563); "rlld+cl": with the contrastive loss, "rlld+bf16": trained in bfloat16. "compact": "rlld" for networks
of about 64 units, with a higher rate and without dropout before the visual classifier, its epoch chosen by
segment-level Type; "compact-tiny": "compact" for about 32 units and a tenth of the videos.
"""


def get_recipe(name: str) -> Recipe:
    """Return the recipe called ``name``.

    Raises:
        InputError: no recipe has that name.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise InputError(f"unknown recipe {name!r}; choose from {', '.join(RECIPES)}") from None
