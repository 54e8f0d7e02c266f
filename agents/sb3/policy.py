"""The hybrid attention policy for PPO, A2C and TRPO."""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import BernoulliDistribution
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor
from torch.distributions import Bernoulli, Independent

from rlld_agents.sb3.network import HybridAttentionMixin


class RemovalDistribution(BernoulliDistribution):
    """Independent bits as one distribution over whole actions.

    Unlike `BernoulliDistribution`, whose Kullback-Leibler divergence is that of each bit, this one's is of the
    action, so that TRPO's ``target_kl`` means the same for 50 bits as for 6 400.
    """

    distribution: Any

    def proba_distribution(self, action_logits: Tensor) -> "RemovalDistribution":
        """Take logits (N, bits) of removal."""
        self.distribution = Independent(Bernoulli(logits=action_logits), 1)
        return self

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return log-probabilities (N,) of actions (N, bits)."""
        return self.distribution.log_prob(actions)  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return entropies (N,)."""
        return self.distribution.entropy()  # type: ignore[no-any-return]

    def mode(self) -> Tensor:
        """Return the likeliest actions (N, bits) of 0 and 1."""
        return torch.round(self.distribution.mean)


class HybridAttentionActorCriticPolicy(HybridAttentionMixin, ActorCriticPolicy):
    """The hybrid attention network of RLLD (Eq. 2-4, arXiv 2412.19563) with a critic, as an SB3 policy.

    For PPO, A2C and sb3-contrib's TRPO, on the joint environment with `FlattenAction` and on `PerVideoVecEnv`, with
    features or indices. Options are given as the algorithm's ``policy_kwargs``.

    Args:
        observation_space: of one environment, as `HybridAttentionActorCritic.for_spaces` takes it.
        action_space: MultiBinary(n).
        lr_schedule: learning rate given the remaining progress, from the algorithm.
        data: the environment's ``data``; needed with index observations only.
        data_seed: the environment's ``data_seed``.
        seed: of the initial weights; None: draw it from PyTorch's generator, which the algorithm's ``seed`` seeds.
        mask_absent: never remove labels that the observation shows as absent; see `HybridAttentionActorCritic`.
        use_sde: must be False.
        optimizer_class: the optimizer.
        optimizer_kwargs: its options but the learning rate.
        **policy_options: of `rlld_agents.HybridAttentionPolicy`, such as ``hidden_size``.

    Raises:
        ValueError: other spaces, indices without ``data``, or ``use_sde``.

    Examples:
        >>> from stable_baselines3 import PPO
        >>> from rlld_agents.sb3 import HybridAttentionActorCriticPolicy, PerVideoVecEnv
        >>> env = PerVideoVecEnv(16, data="twin-tiny", observation="indices")
        >>> options = {"data": "twin-tiny", "hidden_size": 16}
        >>> model = PPO(HybridAttentionActorCriticPolicy, env, n_steps=8, policy_kwargs=options)
    """

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        assert isinstance(self.action_space, spaces.MultiBinary)
        self.action_dist = RemovalDistribution(int(self.action_space.shape[0]))
        super()._build(lr_schedule)
