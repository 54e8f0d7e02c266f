"""Imitation in rounds, then REINFORCE over parameters from there, as a method."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from rlld_agents.baselines.base import (
    Context,
    Denoised,
    environment_options,
    episode_progress,
    number_of_parameters,
)
from rlld_agents.baselines.parts.outcome import check_final, learning_curve, parsed_with
from rlld_agents.imitation.joint import JointConfig, best_round, joint_rounds
from rlld_agents.imitation.rewarded import better_start, combined_policy
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.online import OnlinePlan
from rlld_agents.reinforce.acceptance import explored_values, keep_if_better
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reinforce import Reinforce
from rlld_agents.reinforce.reward_only import paid_environment, reward_only_config
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class Joint:
    """Imitates the validation videos' dense labels, adds a parser's evidence, lets the reward move the shifts.

    What the reward has moved imitation to stays where it earns more (`rlld_agents.reinforce.acceptance`).
    """

    config: JointConfig = field(default_factory=JointConfig)
    """Options of the imitation."""
    episodes: int = ReinforceConfig.episodes
    """Episodes of REINFORCE; 0: imitation and evidence only."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment."""
    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in the final parser."""
    final: Literal["frozen", "online"] | None = None
    """Whether the final parser is trained on the labels as they are, or with the policy in the loop; None: as they
    are, unless evidence alone was better than imitation."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if self.episodes < 0:
            raise InputError(f"episodes is {self.episodes}, expected at least 0")
        check_final(self.final or "frozen")

    @property
    def name(self) -> str:
        """What tables call it."""
        return "joint+cl" if self.contrastive_weight else "joint"

    def denoise(self, context: Context) -> Denoised:
        """Imitate, learn from the reward, then train the parser.

        Raises:
            InputError: the validation videos have no dense labels, or are fewer than two, or the context does not
                say where the data set is.
        """
        environment = environment_options(context, self.name) | asdict(self.environment)
        best = best_round(
            joint_rounds(
                context.data,
                context.recipe,
                self.config,
                hidden_size=context.hidden_size,
                seed=context.seed,
                never_visible=context.never_visible_index,
                progress=context.progress,
            )
        )
        imitated, weight = combined_policy(
            best, environment, context.data, context.hidden_size, context.never_visible_index
        )
        policy: RemovalPolicy = imitated
        details: dict[str, Any] = {
            "policy_parameters": number_of_parameters(imitated),
            "estimate": best.warm.as_dict(),
            "evidence_weight": weight,
        }
        if self.episodes:
            config = reward_only_config(episodes=self.episodes, seed=context.seed)
            policy = better_start(imitated, environment, config, context.data, context.hidden_size)
            details["imitation_kept"] = policy is imitated
            agent = Reinforce(policy, paid_environment(environment), config)
            before = explored_values(agent)
            rows = agent.learn(callback=episode_progress(context, self.episodes))
            # Evidence alone begins with guessed shares: there is nothing to go back to, as in reward alone.
            details["rewards_kept"] = policy is not imitated or keep_if_better(agent, before)
            agent.env.close()
            details["curve"] = learning_curve(rows)
        alone = policy is not imitated
        plan = OnlinePlan(denoise(policy, context.data), None if alone else weight)
        used = "dense, to fit the policies, as the reward, and to choose epochs, round and weight of the evidence"
        return parsed_with(
            plan,
            context,
            final=self.final or ("online" if alone else "frozen"),
            contrastive_weight=self.contrastive_weight,
            used=used,
            details=details,
        )
