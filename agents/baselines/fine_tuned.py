"""Does reinforcement learning add to imitation? Policies that imitate first and are rewarded afterwards."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from rlld_agents.baselines.base import (
    Context,
    Denoised,
    check_dense,
    environment_options,
    episode_progress,
    number_of_parameters,
)
from rlld_agents.baselines.parts.warm_started import parser_on_weak_labels, warm_start_in
from rlld_agents.imitation import PLAIN, WarmStartConfig
from rlld_agents.imitation.fine_tuning import EPISODE_LENGTH, fine_tune
from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.denoising import denoise
from rlld_agents.policies.start import startable_policy, takes_the_papers_policy
from rlld_gym.errors import InputError
from rlld_gym.parsing.training import network_options

EPISODES = 8

PARSER_SHARE = 0.5
"""Epochs of the parser that the policy starts from, as a share of the recipe's."""

ONE_POLICY = WarmStartConfig(ensemble=False, imitation=PLAIN)
"""Rewards go on with one policy, not with one for each fold, which has seen the videos as they are."""


@dataclass(frozen=True)
class ImitationAlone:
    """The warm start alone, without any reward."""

    recombined: bool = False
    """Whether the policy learns from as many recombined videos as well."""
    warm_start: WarmStartConfig = ONE_POLICY
    """All other options of the warm start."""
    threshold: float = 0.5
    """Labels whose removal probability is above it are removed."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "imitation+recombined" if self.recombined else "imitation"

    def denoise(self, context: Context) -> Denoised:
        """Imitate, then remove."""
        imitation = replace(self.warm_start.imitation, recombinations=int(self.recombined))
        config = replace(self.warm_start, imitation=imitation)
        policy = start_policy(context, self.name, config, self.threshold)
        return outcome(policy, context, self.threshold, "dense, to learn from", {})


@dataclass(frozen=True)
class FineTuned:
    """REINFORCE in the environment, from the warm start on; the task network goes on from episode to episode.

    With credit the task network trains for two episodes before the policy learns, for the credit of a new network
    says little; the policy is then updated after every step and pulled to where it started.
    """

    start: Literal["imitation", "scratch"] = "imitation"
    """"scratch": from random weights, without a warm start."""
    warm_start: WarmStartConfig = ONE_POLICY
    """Options of the warm start."""
    reward: Literal["credit", "paper"] = "credit"
    """Of the environment. "paper": the scalar reward as published, with a new task network in each episode."""
    advantage: Literal["label", "video", "episode"] = "label"
    """Which action bits share a reward."""
    episodes: int = EPISODES
    """Episodes of 32 steps."""
    learning_rate: float = 1e-4
    """Adam's learning rate of the policy: higher ones soon spoil what imitation has learned."""
    kl_coefficient: float = 1.0
    """Pull to the policy that training started from."""
    threshold: float = 0.5
    """Labels whose removal probability is above it are removed."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.start}+{self.advantage}"

    def denoise(self, context: Context) -> Denoised:
        """Warm up, reinforce, remove.

        Raises:
            InputError: the context does not say where the data set is, or the data have no dense labels.
        """
        policy: RemovalPolicy
        if self.start == "scratch":
            policy = startable_policy(
                context.data["train"], hidden_size=context.hidden_size, seed=context.seed
            )
        else:
            policy = start_policy(context, self.name, self.warm_start, self.threshold)
        fine_tune(
            policy,
            environment_options(context, self.name),
            advantage=self.advantage,
            reward=self.reward,
            episodes=self.episodes,
            learning_rate=self.learning_rate,
            kl_coefficient=self.kl_coefficient,
            seed=context.seed,
            callback=episode_progress(context, self.episodes),
        )
        used = "dense, as the reward" if self.start == "scratch" else "dense, to learn from and as the reward"
        return outcome(policy, context, self.threshold, used, {"steps": self.episodes * EPISODE_LENGTH})


@dataclass(frozen=True)
class FineTunedByPPO:
    """Stable-Baselines3's PPO on the videos as environments, rewarded by credit, from the warm start on."""

    warm_start: WarmStartConfig = ONE_POLICY
    """Options of the warm start."""
    episodes: int = EPISODES
    """Episodes of 32 steps."""
    learning_rate: float = 1e-4
    """Adam's learning rate."""
    threshold: float = 0.5
    """Labels whose removal probability is above it are removed."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "imitation+ppo"

    def denoise(self, context: Context) -> Denoised:
        """Warm up, let PPO learn, remove.

        Raises:
            InputError: the context does not say where the data set is, the data have no dense labels, or the task
                network is none that the paper's policy, which PPO goes on with, can start from.
        """
        if not takes_the_papers_policy(context.recipe.network, network_options(context.recipe)):
            raise InputError(
                f"method {self.name!r}: PPO goes on with the paper's policy, which starts from a HAN of one layer "
                f"with one attention head; found the task network {context.recipe.network!r}; leave this method out"
            )
        from stable_baselines3 import PPO  # noqa: PLC0415 (an extra)

        from rlld_agents.sb3 import (  # noqa: PLC0415
            HybridAttentionActorCriticPolicy,
            PerVideoVecEnv,
        )
        from rlld_agents.sb3.silent import log_nothing  # noqa: PLC0415

        policy = start_policy(context, self.name, self.warm_start, self.threshold)
        options = environment_options(context, self.name)
        env = PerVideoVecEnv(
            observation="indices",
            time_feature=True,
            task_lifespan="run",
            reward="credit",
            episode_length=EPISODE_LENGTH,
            **options,
        )
        env.seed(context.seed)
        sizes = {"hidden_size": policy.hidden_size, "visual_3d_size": policy.visual_3d_size}
        model = PPO(
            HybridAttentionActorCriticPolicy,
            env,
            n_steps=EPISODE_LENGTH,
            batch_size=512,
            n_epochs=4,
            learning_rate=self.learning_rate,
            seed=context.seed,
            device=str(context.data.device),
            policy_kwargs={"data": options["data"], "data_seed": options["data_seed"], **sizes},
        )
        learner: Any = model.policy
        learner.actor_critic.policy.load_state_dict(policy.state_dict())
        log_nothing(model)
        model.learn(self.episodes * EPISODE_LENGTH * env.num_envs)
        env.close()
        used = "dense, to learn from and as the reward"
        details = {"steps": self.episodes * EPISODE_LENGTH}
        return outcome(learner.actor_critic.policy, context, self.threshold, used, details)


def start_policy(context: Context, method: str, config: WarmStartConfig, threshold: float) -> RemovalPolicy:
    """Return a policy that starts from a parser trained on the weak labels and has imitated the validation videos.

    Raises:
        InputError: the validation videos have no dense labels.
    """
    check_dense(context, method)
    epochs = max(1, round(PARSER_SHARE * context.recipe.epochs))
    parser = parser_on_weak_labels(context, context.recipe.shortened(epochs)).network
    return warm_start_in(context, config, parser, threshold).policy


def outcome(
    policy: RemovalPolicy, context: Context, threshold: float, used: str, details: dict[str, Any]
) -> Denoised:
    """Return what a policy leaves of the training videos' labels."""
    revised = denoise(policy, context.data, threshold=threshold)
    details = {"policy_parameters": number_of_parameters(policy), **details}
    return Denoised(
        revised.audio,
        revised.visual,
        revised.removal_probability,
        validation_labels=f"{used}, and to choose the epoch of the parsers",
        details=details,
    )
