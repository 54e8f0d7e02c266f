"""RLLD that learns from the reward alone: REINFORCE over parameters, a policy in the loop of the final parser."""

from dataclasses import asdict, dataclass, field
from typing import Literal

from rlld_agents.baselines.base import (
    Context,
    Denoised,
    environment_options,
    episode_progress,
    number_of_parameters,
)
from rlld_agents.baselines.parts.outcome import check_final, learning_curve, parsed_with
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.online import OnlinePlan
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reward_only import make_reward_only, reward_only_config
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class RLLD:
    """Learns in the environment how many labels of a class to remove; dense labels count through F-scores only."""

    episodes: int = ReinforceConfig.episodes
    """Episodes of REINFORCE."""
    class_share: float = ReinforceConfig.class_share
    """Weight of what a class earned itself beside its branch's return; 0: the return alone."""
    environment: EnvironmentOptions = field(default_factory=EnvironmentOptions)
    """Options of the environment."""
    contrastive_weight: float = 0.0
    """Weight of the contrastive loss in the final parser."""
    final: Literal["frozen", "online"] = "online"
    """Whether the final parser is trained on the labels as they are, or with the policy in the loop."""

    def __post_init__(self) -> None:
        """Check the options (InputError)."""
        if self.episodes < 1:
            raise InputError(f"episodes is {self.episodes}, expected at least 1")
        check_final(self.final)

    @property
    def name(self) -> str:
        """What tables call it."""
        return "rlld+cl" if self.contrastive_weight else "rlld"

    def denoise(self, context: Context) -> Denoised:
        """Train the policy in the environment, then the parser.

        Raises:
            InputError: the validation videos have no dense labels, or the context does not say where the data are.
        """
        environment = environment_options(context, self.name) | asdict(self.environment)
        config = reward_only_config(episodes=self.episodes, class_share=self.class_share, seed=context.seed)
        policy, agent = make_reward_only(environment, config, context.data, context.hidden_size)
        rows = agent.learn(callback=episode_progress(context, self.episodes))
        agent.env.close()
        plan = OnlinePlan(denoise(policy, context.data))
        details = {
            "policy_parameters": number_of_parameters(policy),
            "curve": learning_curve(rows),
        }
        used = "dense, as the reward and to choose the epoch of the parser"
        return parsed_with(
            plan,
            context,
            final=self.final,
            contrastive_weight=self.contrastive_weight,
            used=used,
            details=details,
        )
