"""Imitation in rounds with a parser, as a method."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rlld_agents.baselines.base import (
    Context,
    Denoised,
    check_dense,
    environment_options,
    number_of_parameters,
)
from rlld_agents.baselines.parts.outcome import parsed_labels
from rlld_agents.imitation.fine_tuning import credit_after_rounds
from rlld_agents.imitation.joint import JointConfig, JointRound, best_round, joint_rounds
from rlld_agents.labels.removal_rule import RemovalRule
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class ImitationInRounds:
    """Parser and policy take turns (`rlld_agents.imitation.joint`).

    The policy imitates the truth of the validation videos, as they are and recombined.
    """

    config: JointConfig = field(default_factory=JointConfig)
    """Options of the loop."""
    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in the final parser."""
    threshold: float = 0.5
    """Labels whose removal probability is above it are removed."""
    empty_rule: EmptyRule = "video"
    """What to do where a video would lose its last label."""
    credit_episodes: int = 0
    """Episodes with credit per label in the environment after each round's imitation; 0: none."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if self.credit_episodes < 0:
            raise InputError(f"credit_episodes is {self.credit_episodes}, expected at least 0")

    @property
    def name(self) -> str:
        """What tables call it."""
        return (
            "imitation+rounds" + "+label" * bool(self.credit_episodes) + "+cl" * bool(self.contrastive_weight)
        )

    def denoise(self, context: Context) -> Denoised:
        """Play the rounds; the labels are those of the best one by the estimate.

        Raises:
            InputError: the validation videos have no dense labels, or are fewer than two, or there are credit
                episodes and the context does not say where the data set is.
        """
        check_dense(context, self.name)
        environment: dict[str, Any] = {}
        if self.credit_episodes:
            environment = environment_options(context, self.name) | {"empty_rule": self.empty_rule}
        rounds: list[dict[str, Any]] = []

        def noted() -> Iterator[JointRound]:
            for outcome in joint_rounds(
                context.data,
                context.recipe,
                self.config,
                hidden_size=context.hidden_size,
                seed=context.seed,
                never_visible=context.never_visible_index,
                rule=RemovalRule(self.threshold, self.empty_rule),
                fine_tune=credit_after_rounds(environment, episodes=self.credit_episodes, seed=context.seed),
                progress=context.progress,
            ):
                rounds.append(outcome.details())
                yield outcome

        best = best_round(noted())
        details = {
            "policy_parameters": number_of_parameters(best.policy),
            "round": best.number,
            "estimate": best.warm.as_dict(),
            "rounds": rounds,
        }
        rewarded = ", as the reward" * bool(self.credit_episodes)
        used = (
            f"dense, to fit the policies{rewarded}, to choose the round, and to choose the epoch of policies "
            "and parsers"
        )
        return parsed_labels(best.revised, context, self.contrastive_weight, used, details)
