"""Supervised learning on the validation split, the control that rewards paid out of the same labels must beat."""

from dataclasses import dataclass, field
from typing import Any, Literal

from rlld_agents.baselines.base import Context, Denoised, number_of_parameters, to_numpy
from rlld_agents.denoise import denoise
from rlld_agents.imitation import ImitationConfig, cross_validate, imitate
from rlld_agents.policy import HybridAttentionPolicy
from rlld_agents.removal import removal_quality
from rlld_agents.transfer import start_from_parser
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import HAN
from rlld_gym.parsing.randomness import seeded_random_state
from rlld_gym.parsing.training import TrainedParser, feature_sizes, train_parser


@dataclass(frozen=True)
class SupervisedOnValidation:
    """A policy of RLLD's make that learns from validation videos which labels are wrong in which modality.

    It starts from a parser that was trained on the weak labels, imitates the decisions that the validation videos'
    dense labels imply (``rlld_agents.imitation``), and then decides about the training videos. The labels that
    are left are the method's product; a video that would lose its last label in both modalities keeps all.
    """

    threshold: float = 0.5
    """Labels whose removal probability is above this are removed."""
    start: Literal["parser", "scratch"] = "parser"
    """"parser": encoder and heads start from a parser; "scratch": from random weights."""
    folds: int = 5
    """Parts of the validation split for an estimate of precision and recall by cross-validation, for details;
    each costs an imitation. (The parser that policies start from is one and the same.) 0: no estimate."""
    imitation: ImitationConfig = field(default_factory=ImitationConfig)
    """How the policy learns."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold is {self.threshold}, expected a probability between 0 and 1")
        if self.start not in ("parser", "scratch"):
            raise InputError(f"start is {self.start!r}, expected 'parser' or 'scratch'")
        if self.folds < 0 or self.folds == 1:
            raise InputError(f"folds is {self.folds}, expected 0 or at least 2")

    @property
    def name(self) -> str:
        """What tables call it."""
        return "supervised"

    def denoise(self, context: Context) -> Denoised:
        """Train parser and policy, remove.

        Raises:
            InputError: the validation videos have no dense labels, or the policy cannot start from the recipe's
                network.
        """
        validation = context.data["val"]
        if validation.dense_audio is None or validation.dense_visual is None:
            raise InputError(
                f"method {self.name!r}: the validation videos have no dense labels to learn from; leave it out"
            )
        parser = self._train_parser(context)
        policy = _policy(context, parser)
        imitate(policy, validation, self.imitation, seed=context.seed)
        revised = denoise(policy, context.data, threshold=self.threshold)
        used = f"dense, per modality, all {len(validation)} videos, to learn which labels are wrong"
        details: dict[str, Any] = {"policy_parameters": number_of_parameters(policy)}
        if parser is not None:
            used += ", and to choose the epoch of the parser that the policy starts from"
            details["parser"] = {"best_epoch": parser.best_epoch, "validation": parser.history}
        if self.folds:
            details["cross_validation"] = self._cross_validate(context, parser)
        return Denoised(
            audio=revised.audio,
            visual=revised.visual,
            removal_score=revised.removal_probability,
            validation_labels=used,
            details=details,
        )

    def _train_parser(self, context: Context) -> TrainedParser | None:
        """Return a parser to start from."""
        if self.start == "scratch":
            return None
        if context.recipe.network != "han":
            raise InputError(
                f"method {self.name!r}: a policy can start from the network 'han' only, found "
                f"{context.recipe.network!r}; use start='scratch'"
            )
        labels = context.data["train"].labels
        return train_parser(
            context.data,
            labels,
            labels,
            context.recipe,
            hidden_size=context.hidden_size,
            seed=context.seed,
            progress=context.progress,
        )

    def _cross_validate(self, context: Context, parser: TrainedParser | None) -> dict[str, Any]:
        """Return how well policies judge validation videos that they did not learn from."""
        validation = context.data["val"]
        folds = min(self.folds, len(validation))
        if folds < 2 or validation.dense_audio is None or validation.dense_visual is None:
            return {}
        probability = cross_validate(
            lambda: _policy(context, parser), context.data, self.imitation, folds=folds, seed=context.seed
        )
        weak = to_numpy(validation.labels > 0)
        kept = weak[:, None] & (probability <= self.threshold)
        # As in the removal itself: a video that would lose everything keeps everything.
        kept |= weak[:, None] & ~kept.any(axis=(1, 2), keepdims=True)
        truth = to_numpy(validation.dense_audio.any(1)), to_numpy(validation.dense_visual.any(1))
        quality = removal_quality(weak, kept[:, 0], kept[:, 1], truth, probability)
        return {"folds": folds, **quality.as_dict()}


def _policy(context: Context, parser: TrainedParser | None) -> HybridAttentionPolicy:
    """Return a fresh policy, which starts from the parser where there is one."""
    sizes = feature_sizes(context.data["train"])
    with seeded_random_state(context.seed):
        policy = HybridAttentionPolicy(
            sizes["audio_size"],
            sizes["visual_2d_size"] + sizes["visual_3d_size"],
            sizes["num_classes"],
            hidden_size=context.hidden_size,
            visual_3d_size=sizes["visual_3d_size"],
        )
    policy.to(context.data.device)
    if parser is not None:
        assert isinstance(parser.network, HAN)
        start_from_parser(policy, parser.network)
    return policy
