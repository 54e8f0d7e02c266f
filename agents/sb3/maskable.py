"""The hybrid attention policy for MaskablePPO of sb3-contrib."""

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

try:
    from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
except ImportError as error:
    raise ImportError(
        'rlld_agents.sb3.maskable needs sb3-contrib: pip install "rlld-gym[sb3]" (from a checkout: ".[sb3]")'
    ) from error

from rlld_agents.actor_critic import HybridAttentionActorCritic

from .network import ActorCriticNetwork, PassThrough, make_network, split_options


class HybridAttentionMaskableActorCriticPolicy(MaskableActorCriticPolicy):
    """As `rlld_agents.sb3.HybridAttentionActorCriticPolicy`, with the masks that MaskablePPO hands over.

    Those come from the environment (``action_masks``), so the network itself masks nothing unless
    ``mask_absent=True`` is asked for. It is the policy to use where observations do not show labels.

    Args:
        observation_space: Dict of features or indices.
        action_space: MultiBinary(n).
        lr_schedule: learning rate over the training progress.
        **options: ``policy_kwargs``.

    Raises:
        ValueError: spaces of another environment, or indices without ``data``.
    """

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        **options: Any,
    ) -> None:
        self._network_options, options = split_options({"mask_absent": False} | options)
        options |= {"features_extractor_class": PassThrough, "ortho_init": False, "net_arch": []}
        super().__init__(observation_space, action_space, lr_schedule, **options)

    @property
    def actor_critic(self) -> HybridAttentionActorCritic:
        """The network; its ``policy`` is what `rlld_agents.denoise` takes."""
        network: Any = self.mlp_extractor
        assert isinstance(network, ActorCriticNetwork)
        return network.model

    def _build(self, lr_schedule: Schedule) -> None:
        network: Any = make_network(self.observation_space, self.action_space, self._network_options)
        self.mlp_extractor = network
        values: Any = nn.Identity()
        self.action_net, self.value_net = LogitPairs(), values
        rate = lr_schedule(1)
        self.optimizer = self.optimizer_class(self.parameters(), lr=rate, **self.optimizer_kwargs)  # type: ignore[call-arg]

    def _get_constructor_parameters(self) -> dict[str, Any]:
        parameters = super()._get_constructor_parameters()
        for name in ("features_extractor_class", "ortho_init", "net_arch"):
            parameters.pop(name)
        return parameters | self._network_options


class LogitPairs(nn.Module):
    """Turns log-odds of bits (N, n) into logits of both their values (N, 2n), as sb3-contrib wants them."""

    def forward(self, logits: Tensor) -> Tensor:
        """Return (N, 2n): for each bit 0 and its log-odds."""
        return torch.stack((torch.zeros_like(logits), logits), dim=-1).flatten(1)
