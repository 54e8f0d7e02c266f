"""What the policies for Stable-Baselines3 and for sb3-contrib have in common."""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.optim import Optimizer

from rlld_agents.actor_critic import HybridAttentionActorCritic


class PassThrough(BaseFeaturesExtractor):
    """Hands the observation on; the network takes it as it is."""

    def __init__(self, observation_space: spaces.Space[Any]) -> None:
        super().__init__(observation_space, features_dim=1)

    def forward(self, observations: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the same."""
        return observations


class RemovalNetwork(nn.Module):
    """A `HybridAttentionActorCritic` in the place of Stable-Baselines3's extractor of latent features.

    Its outputs are logits and values already, so that the layers that come after it are identities.

    Args:
        actor_critic: the network.
    """

    def __init__(self, actor_critic: HybridAttentionActorCritic) -> None:
        super().__init__()
        self.actor_critic = actor_critic

    def forward(self, observation: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits (N, bits) and values (N, 1), float32."""
        logits, values = self.actor_critic(observation)
        return logits.flatten(1), values.unsqueeze(-1)

    def forward_actor(self, observation: dict[str, Tensor]) -> Tensor:
        """Return logits (N, bits)."""
        return self(observation)[0]  # type: ignore[no-any-return]

    def forward_critic(self, observation: dict[str, Tensor]) -> Tensor:
        """Return values (N, 1)."""
        return self(observation)[1]  # type: ignore[no-any-return]


class HybridAttentionMixin:
    """Builds the network and the optimizer of an SB3 policy in place of its multi-layer perceptron.

    Stable-Baselines3 would put a linear layer over all bits on top of a latent vector, which for a whole batch at
    LLP's sizes has more weights than everything else together.
    """

    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    mlp_extractor: Any
    action_net: Any
    value_net: Any
    optimizer: Optimizer
    optimizer_class: type[Optimizer]
    optimizer_kwargs: dict[str, Any]
    parameters: Callable[[], Any]
    network_options: dict[str, Any]

    @property
    def actor_critic(self) -> HybridAttentionActorCritic:
        """The network; ``actor_critic.policy`` is what `rlld_agents.denoise` and ``save_policy`` take."""
        network: HybridAttentionActorCritic = self.mlp_extractor.actor_critic
        return network

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        options = dict(self.network_options)
        if options["seed"] is None:  # the algorithm's seed is in PyTorch's global generator
            options["seed"] = int(torch.randint(2**31, ()))
        self.mlp_extractor = RemovalNetwork(
            HybridAttentionActorCritic.for_spaces(self.observation_space, self.action_space, **options)
        )
        self.action_net, self.value_net = nn.Identity(), nn.Identity()
        arguments: dict[str, Any] = {"lr": lr_schedule(1), **self.optimizer_kwargs}
        self.optimizer = self.optimizer_class(self.parameters(), **arguments)


def check_action_space(space: spaces.Space[Any]) -> None:
    """Check that a policy's actions are a flat MultiBinary.

    Raises:
        ValueError: they are not.
    """
    if not isinstance(space, spaces.MultiBinary) or len(space.shape) != 1:
        raise ValueError(
            f"expected actions MultiBinary(n), found {space}; wrap the joint environment with "
            "rlld_gym.envs.wrappers.FlattenAction"
        )
