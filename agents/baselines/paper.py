"""RLLD as published, and its ablations (arXiv 2412.19563): REINFORCE over actions from a new parser."""

from dataclasses import asdict, dataclass, field

from rlld_agents.baselines.base import (
    Context,
    Denoised,
    environment_options,
    episode_progress,
    number_of_parameters,
)
from rlld_agents.baselines.parts.outcome import learning_curve, parsed_labels
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.hybrid import HybridAttentionPolicy
from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.paper import make_reinforce
from rlld_gym.envs.options import EnvironmentOptions
from rlld_gym.errors import InputError


@dataclass(frozen=True)
class PaperRLLD:
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
        return "paper+cl" if self.contrastive_weight else "paper"

    def denoise(self, context: Context) -> Denoised:
        """Train the policy in the environment, then let it denoise.

        Raises:
            InputError: the context does not say where the data set is.
        """
        policy, curve = self._train_policy(context)
        rule = self.environment.empty_rule
        revised = denoise(policy, context.data, threshold=self.threshold, empty_rule=rule)
        return parsed_labels(
            revised,
            context,
            self.contrastive_weight,
            "dense, as the reward and to choose the epoch of the parser",
            {"policy_parameters": number_of_parameters(policy), "curve": curve},
        )

    def _train_policy(self, context: Context) -> tuple[HybridAttentionPolicy, dict[str, list[float]]]:
        """Return the policy and its episodes' returns and validation scores, by name."""
        environment = environment_options(context, self.name) | asdict(self.environment)
        environment["task_start"] = "fresh"  # as published
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
        return policy, learning_curve(rows)
