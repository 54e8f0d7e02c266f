"""RLLD itself as methods of the benchmark: the paper's agent, its ablations, and the joint loop."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from rlld_agents.baselines.base import (
    Context,
    Denoised,
    check_dense,
    environment_options,
    episode_progress,
    number_of_parameters,
)
from rlld_agents.baselines.parts.parser import parser_in
from rlld_agents.imitation.fine_tuning import credit_after_rounds
from rlld_agents.imitation.joint import JointConfig, JointRound, best_round, joint_rounds
from rlld_agents.labels.removal_rule import RemovalRule
from rlld_agents.labels.revised import RevisedLabels
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.hybrid import HybridAttentionPolicy
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.paper import make_reinforce
from rlld_agents.runs.environment_options import EnvironmentOptions
from rlld_gym.denoising.labels import EmptyRule
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES


@dataclass(frozen=True)
class RLLD:
    """Reinforced label denoising as published (arXiv 2412.19563): REINFORCE, scalar return, no baseline."""

    episodes: int = ReinforceConfig.episodes
    """Episodes of REINFORCE."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment."""
    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in the final parser; the paper's "+ CL" is 1."""
    initialized_labels: bool = True
    """Whether the policy sees the weak labels; False is Table 2's "w/o initialized labels"."""
    soft_inter_reward: bool = True
    """Whether every step is paid (Eq. 9); False is Table 2's "w/o soft inter-reward"."""
    threshold: float = 0.5
    """Labels whose removal probability is above it are removed."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if self.episodes < 1:
            raise InputError(f"episodes is {self.episodes}, expected at least 1")
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold is {self.threshold}, expected a probability between 0 and 1")

    @property
    def name(self) -> str:
        """What tables call it."""
        return "rlld+cl" if self.contrastive_weight else "rlld"

    def denoise(self, context: Context) -> Denoised:
        """Train the policy in the environment, then let it denoise.

        Raises:
            InputError: the context does not say where the data set is.
        """
        policy, curve = self._train_policy(context)
        rule = self.environment.empty_rule
        revised = denoise(policy, context.data, threshold=self.threshold, empty_rule=rule)
        return _outcome(
            revised,
            context,
            self.contrastive_weight,
            "dense, as the reward and to choose the epoch of the parser",
            {"policy_parameters": number_of_parameters(policy), "curve": curve},
        )

    def _train_policy(self, context: Context) -> tuple[HybridAttentionPolicy, dict[str, list[float]]]:
        """Return the policy and its episodes' returns and validation scores, by name."""
        environment = environment_options(context, self.name) | asdict(self.environment)
        environment["initialized_labels"] &= self.initialized_labels
        if not self.soft_inter_reward:
            environment["inter_weights"] = (0.0, 0.0)
        train = context.data["train"]
        policy, agent = make_reinforce(
            environment,
            ReinforceConfig(episodes=self.episodes, seed=context.seed),
            hidden_size=context.hidden_size,
            visual_3d_size=train.visual.shape[-1] - train.visual_2d_size,
        )
        rows = agent.learn(callback=episode_progress(context, self.episodes))
        agent.env.close()
        columns = {name: f"env/{name}" for name in SCORE_NAMES} | {"return": "rollout/ep_rew_mean"}
        return policy, {name: [row[column] for row in rows] for name, column in columns.items()}


@dataclass(frozen=True)
class Joint:
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
        return "joint" + "+label" * bool(self.credit_episodes) + "+cl" * bool(self.contrastive_weight)

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
                classes=context.classes,
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
        return _outcome(best.revised, context, self.contrastive_weight, used, details)


def _outcome(
    revised: RevisedLabels, context: Context, contrastive_weight: float, used: str, details: dict[str, Any]
) -> Denoised:
    """Return the labels; with the contrastive loss, also the parser that it trains on them."""
    network = None
    if contrastive_weight:
        recipe = context.recipe.replace(contrastive_weight=contrastive_weight, contrastive="jomold")
        network = parser_in(context, revised.audio, revised.visual, recipe).network
    return Denoised(revised.audio, revised.visual, revised.removal_probability, network, used, details)
