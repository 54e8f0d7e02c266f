"""MA: modality-aware labels by exchanging tracks (Wu and Yang, "Exploring Heterogeneous Clues", CVPR 2021).

A base parser sees every video three times: as it is, with a foreign visual track and with a foreign audio track.
Where the audio track is left to itself and the parser, in either modality, no longer finds a class, the class is
not heard in this video; likewise for the visual track.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from rlld_agents.baselines.base import (
    EPOCH_SELECTION,
    NO_VALIDATION_LABELS,
    Context,
    Denoised,
    to_numpy,
)
from rlld_agents.baselines.parts.exchange import draw_partners, exchange_tracks, relative_errors
from rlld_agents.baselines.parts.parser import parser_in
from rlld_gym.errors import InputError
from rlld_gym.parsing.epochs import TrainedParser
from rlld_gym.parsing.randomness import seeded_random_state
from rlld_gym.parsing.recipes import RECIPES, Recipe

_PUBLISHED: dict[str, Any] = {
    "learning_rate": 3e-4,
    "warm_up": 0.0,
    "decay": "step",
    "step_size": 10,
    "gamma": 0.1,
    "epochs": 12,
    "batch_size": 16,
}
_LOSSES: dict[str, Any] = {
    "network": "han",
    "flavour": "han",
    "video_weight": 1.0,
    "audio_weight": 1.0,
    "visual_weight": 1.0,
    "audio_confidence": 1.0,
    "video_target": "original",
}


@dataclass(frozen=True)
class ModalityAware:
    """MA (Wu and Yang, CVPR 2021) in three steps: base parser, exchange of tracks, parser on the labels left.

    Step 1 trains HAN with the method's losses (weights 1, visual smoothing, original video label) and keeps the
    last epoch, as published: validation labels are not looked at. Step 3 is the training that every method's
    labels get, so no network is returned; only where step 3 is not that (``contrastive_weight``,
    ``share_arrays``) the method trains the parser itself.
    """

    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in steps 1 and 3; the method "+ CL" has 1."""
    base_confidence: float = 0.9
    """Visual targets of step 1 are pulled towards one half by 1 minus this; 1 leaves them alone."""
    base_recipe: Literal["auto", "published", "context"] = "auto"
    """How long and how fast step 1 is trained. "published": 12 epochs, batch 16, rate 3e-4, a tenth of it
    after 10 epochs, shortened as much as the context's recipe is; "context": as the context's recipe says;
    "auto": as the context says where its recipe is a compact one, else as published (which is made for 512
    units and 10000 videos)."""
    share_arrays: bool = False
    """Train step 3 as the method's code does by accident: audio target and video target are one array there,
    so an audio label that is removed is removed from the video target too (a visual one is not)."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if self.base_recipe not in ("auto", "published", "context"):
            raise InputError(
                f"base_recipe is {self.base_recipe!r}, expected 'auto', 'published' or 'context'"
            )
        if not 0 < self.base_confidence <= 1:
            raise InputError(
                f"base_confidence is {self.base_confidence}, expected a number above 0, at most 1"
            )

    @property
    def name(self) -> str:
        """What tables call it."""
        return "ma+cl" if self.contrastive_weight else "ma"

    def denoise(self, context: Context) -> Denoised:
        """Train the base parser, exchange tracks, remove; train the parser where step 3 is special."""
        train = context.data["train"]
        base = self._train_base(context)
        with seeded_random_state(context.seed, context.data.device, own=True):
            partners = draw_partners(train.labels)
        exchange = exchange_tracks(base.network, train, partners)
        audio_error, visual_error = relative_errors(exchange, train.labels)
        weak = train.labels > 0
        paired = weak & (partners >= 0).unsqueeze(-1)
        audio = weak & ~(paired & (exchange.kept_audio < 0.5 * audio_error))
        visual = weak & ~(paired & (exchange.kept_visual < 0.5 * visual_error))
        scores = torch.stack(
            (_score(exchange.kept_audio, audio_error), _score(exchange.kept_visual, visual_error)), dim=1
        )
        trained = self._train_parser(context, audio, visual)
        details: dict[str, Any] = {
            "base_recipe": asdict(self.recipe_of_base(context.recipe)),
            "relative_error": {"audio": audio_error.tolist(), "visual": visual_error.tolist()},
            "without_partner": int((partners < 0).sum()),
        }
        if trained is not None:
            details |= {"best_epoch": trained.best_epoch, "validation": trained.history}
        return Denoised(
            audio=to_numpy(audio),
            visual=to_numpy(visual),
            removal_score=to_numpy(scores.masked_fill(~paired.unsqueeze(1), 0.0)),
            network=None if trained is None else trained.network,
            validation_labels=NO_VALIDATION_LABELS if trained is None else EPOCH_SELECTION,
            details=details,
        )

    def recipe_of_base(self, recipe: Recipe) -> Recipe:
        """Return the recipe of step 1, given the context's."""
        losses = _LOSSES | {
            "visual_confidence": self.base_confidence,
            "contrastive_weight": self.contrastive_weight,
            "contrastive": "ma",
        }
        compact = recipe.name.startswith("compact")
        if self.base_recipe == "context" or (self.base_recipe == "auto" and compact):
            return recipe.replace(**losses)
        share = recipe.epochs / RECIPES[recipe.name].epochs if recipe.name in RECIPES else 1.0
        published = recipe.replace(**losses, **_PUBLISHED)
        return published.shortened(max(1, round(published.epochs * share)))

    def _train_base(self, context: Context) -> TrainedParser:
        labels = context.data["train"].labels
        return parser_in(context, labels, labels, self.recipe_of_base(context.recipe), keep="last")

    def _train_parser(self, context: Context, audio: Tensor, visual: Tensor) -> TrainedParser | None:
        """Take step 3 where it is not the training that every method's labels get."""
        if not self.contrastive_weight and not self.share_arrays:
            return None
        recipe = context.recipe
        if self.contrastive_weight:
            recipe = recipe.replace(contrastive_weight=self.contrastive_weight, contrastive="ma")
        return parser_in(context, audio, visual, recipe, video_labels=audio if self.share_arrays else None)


def _score(kept_track: Tensor, error: Tensor) -> Tensor:
    """Return (N, C) float32 in [0, 1]: how far the probability is below the threshold, one half at it."""
    threshold = 0.5 * error
    return (threshold / (threshold + kept_track).clamp(min=torch.finfo(torch.float64).tiny)).float()
