"""Supervised learning on the validation split, the control that rewards paid out of the same labels must beat."""

from dataclasses import dataclass
from typing import Any, Literal

from rlld_agents.baselines.base import Context, Denoised, check_dense, number_of_parameters
from rlld_agents.baselines.parts.warm_started import parser_on_weak_labels, warm_start_in
from rlld_agents.imitation import PLAIN, WarmStartConfig
from rlld_agents.policies.denoising import denoise
from rlld_gym.errors import InputError

AS_THEY_ARE = WarmStartConfig(imitation=PLAIN)
"""Policies learn from the videos as they are, not from recombined ones."""


@dataclass(frozen=True)
class SupervisedOnValidation:
    """Policies of RLLD's make that learn from validation videos which labels are wrong in which modality.

    They start from a parser that was trained on the weak labels, imitate the decisions that the validation videos'
    dense labels imply (``rlld_agents.imitation``), and then decide together about the training videos. The labels
    that are left are the method's product; a video that would lose its last label in both modalities keeps all.
    This is imitation of the videos as they are, in one round, without a reward: what there is to beat.
    """

    threshold: float = 0.5
    """Labels whose removal probability is above this are removed."""
    start: Literal["parser", "scratch"] = "parser"
    """"parser": the policies start from a parser; "scratch": from random weights."""
    warm_start: WarmStartConfig = AS_THEY_ARE
    """How the policies learn."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold is {self.threshold}, expected a probability between 0 and 1")
        if self.start not in ("parser", "scratch"):
            raise InputError(f"start is {self.start!r}, expected 'parser' or 'scratch'")

    @property
    def name(self) -> str:
        """What tables call it."""
        return "supervised"

    def denoise(self, context: Context) -> Denoised:
        """Train parser and policies, remove.

        Raises:
            InputError: the validation videos have no dense labels, or are fewer than two.
        """
        check_dense(context, self.name)
        used = f"dense, per modality, all {len(context.data['val'])} videos, to learn which labels are wrong"
        details: dict[str, Any] = {}
        parser = None
        if self.start == "parser":
            trained = parser_on_weak_labels(context, context.recipe)
            parser = trained.network
            used += ", and to choose the epoch of the parser that the policies start from"
            details["parser"] = {"best_epoch": trained.best_epoch, "validation": trained.history}
        warm = warm_start_in(context, self.warm_start, parser, self.threshold)
        details |= {"policy_parameters": number_of_parameters(warm.policy), "estimate": warm.as_dict()}
        revised = denoise(warm.policy, context.data, threshold=self.threshold)
        return Denoised(
            audio=revised.audio,
            visual=revised.visual,
            removal_score=revised.removal_probability,
            validation_labels=used,
            details=details,
        )
