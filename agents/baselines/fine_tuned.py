"""Does reinforcement learning add to imitation? Policies that imitate first and are rewarded afterwards."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import gymnasium

from rlld_agents.baselines.base import Context, Denoised, number_of_parameters
from rlld_agents.denoise import denoise
from rlld_agents.pretrain import WarmStartConfig, make_policy, warm_start
from rlld_agents.reinforce import Reinforce, ReinforceConfig
from rlld_agents.removal_policy import RemovalPolicy
from rlld_gym.errors import InputError
from rlld_gym.parsing.training import train_parser

ENVIRONMENT_ID = "rlld_gym:rlld/LabelDenoising-v0"
EPISODE_LENGTH = 32
EPISODES = 8


PARSER_SHARE = 0.5
"""Epochs of the parser that the policy starts from, as a share of the recipe's."""

ONE_POLICY = WarmStartConfig(ensemble=False)
"""Rewards go on with one policy, not with one for each fold."""


@dataclass(frozen=True)
class ImitationAlone:
    """The warm start alone, without any reward."""

    warm_start: WarmStartConfig = ONE_POLICY
    """Options of the warm start."""
    threshold: float = 0.5
    """Labels whose removal probability is above it are removed."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "imitation"

    def denoise(self, context: Context) -> Denoised:
        """Imitate, then remove."""
        return outcome(
            start_policy(context, self.warm_start), context, self.threshold, "dense, to learn from", {}
        )


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
    learning_rate: float = 5e-4
    """Adam's learning rate of the policy."""
    kl_coefficient: float = 0.2
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
            policy = make_policy(context.data["train"], hidden_size=context.hidden_size, seed=context.seed)
        else:
            policy = start_policy(context, self.warm_start)
        scalar = self.advantage == "episode"
        env = gymnasium.make(
            ENVIRONMENT_ID,
            **environment_options(context, self.reward),
            task_lifespan="episode" if self.reward == "paper" else "run",
        )
        config = ReinforceConfig(
            episodes=self.episodes,
            learning_rate=self.learning_rate,
            advantage=self.advantage,
            baseline="ema" if scalar else "expected",
            kl_coefficient=self.kl_coefficient,
            update_every=None if scalar else 1,
            warm_up_steps=0 if scalar else min(2, self.episodes - 1) * EPISODE_LENGTH,
            seed=context.seed,
        )
        Reinforce(policy, env, config).learn(callback=_progress(context, self.episodes))
        env.close()
        used = "dense, as the reward" if self.start == "scratch" else "dense, to learn from and as the reward"
        return outcome(policy, context, self.threshold, used, {"steps": self.episodes * EPISODE_LENGTH})


@dataclass(frozen=True)
class FineTunedByPPO:
    """Stable-Baselines3's PPO on the videos as environments, rewarded by credit, from the warm start on."""

    warm_start: WarmStartConfig = ONE_POLICY
    """Options of the warm start."""
    episodes: int = EPISODES
    """Episodes of 32 steps."""
    learning_rate: float = 3e-4
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
            InputError: the context does not say where the data set is, or the data have no dense labels.
        """
        from stable_baselines3 import PPO  # noqa: PLC0415 (an extra)

        from rlld_agents.sb3 import (  # noqa: PLC0415
            HybridAttentionActorCriticPolicy,
            PerVideoVecEnv,
        )

        policy = start_policy(context, self.warm_start)
        env = PerVideoVecEnv(
            observation="indices",
            time_feature=True,
            task_lifespan="run",
            **environment_options(context, "credit"),
        )
        env.seed(context.seed)
        sizes = {"hidden_size": policy.hidden_size, "visual_3d_size": policy.visual_3d_size}
        source = _source(context)
        model = PPO(
            HybridAttentionActorCriticPolicy,
            env,
            n_steps=EPISODE_LENGTH,
            batch_size=512,
            n_epochs=4,
            learning_rate=self.learning_rate,
            seed=context.seed,
            device=str(context.data.device),
            policy_kwargs={"data": source[0], "data_seed": source[1], **sizes},
        )
        learner: Any = model.policy
        learner.actor_critic.policy.load_state_dict(policy.state_dict())
        model.learn(self.episodes * EPISODE_LENGTH * env.num_envs)
        env.close()
        used = "dense, to learn from and as the reward"
        details = {"steps": self.episodes * EPISODE_LENGTH}
        return outcome(learner.actor_critic.policy, context, self.threshold, used, details)


def start_policy(context: Context, config: WarmStartConfig) -> RemovalPolicy:
    """Return a policy that starts from a parser trained on the weak labels and has imitated the validation videos.

    Raises:
        InputError: the validation videos have no dense labels.
    """
    if context.data["val"].dense_audio is None:
        raise InputError("the validation videos have no dense labels to imitate; leave the method out")
    train = context.data["train"]
    parser = train_parser(
        context.data,
        train.labels,
        train.labels,
        context.recipe.shortened(max(1, round(PARSER_SHARE * context.recipe.epochs))),
        hidden_size=context.hidden_size,
        seed=context.seed,
        progress=context.progress,
    ).network
    start = partial(
        make_policy,
        train,
        hidden_size=context.hidden_size,
        seed=context.seed,
        network=context.recipe.network,
        parser=parser,
    )
    return warm_start(start, context.data["val"], config, seed=context.seed, classes=context.classes).policy


def environment_options(context: Context, reward: str) -> dict[str, Any]:
    """Return the arguments of the environment on a context's data.

    Raises:
        InputError: the context does not say where the data set is.
    """
    source = _source(context)
    return {
        "data": source[0],
        "data_seed": source[1],
        "recipe": context.recipe.name,
        "hidden_size": context.hidden_size,
        "episode_length": EPISODE_LENGTH,
        "reward": reward,
        "device": str(context.data.device),
    }


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


def _source(context: Context) -> tuple[str, int]:
    if context.source is None:
        raise InputError("needs a data set by name or path, to make the environment")
    return context.source


def _progress(context: Context, episodes: int) -> Any:
    report = context.progress
    return None if report is None else lambda row: report(int(row["episode"]), episodes)
