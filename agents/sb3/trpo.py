"""TRPO for networks of many parameter tensors."""

from typing import Any

import torch
from sb3_contrib import TRPO
from torch import Tensor, nn


class SinglePassTRPO(TRPO):
    """sb3-contrib's TRPO (Schulman et al., 2015), with the gradients of all parameters from one backward pass.

    The original goes back through the network twice for each parameter tensor, of which a hybrid attention network
    has dozens. The updates are the same up to rounding.

    Examples:
        >>> from rlld_agents.sb3 import HybridAttentionActorCriticPolicy, PerVideoVecEnv, SinglePassTRPO
        >>> env = PerVideoVecEnv(16, data="twin-tiny", observation="indices")
        >>> options = {"data": "twin-tiny", "hidden_size": 16}
        >>> model = SinglePassTRPO(HybridAttentionActorCriticPolicy, env, n_steps=8, policy_kwargs=options)
    """

    def _compute_actor_grad(
        self, kl_div: Tensor, policy_objective: Tensor
    ) -> tuple[list[nn.Parameter], Tensor, Tensor, list[Any]]:
        """Return the parameters that the divergence depends on, both gradients, flat, and their shapes."""
        candidates = [parameter for name, parameter in self.policy.named_parameters() if "value" not in name]
        divergence = torch.autograd.grad(kl_div, candidates, create_graph=True, allow_unused=True)
        used = [
            (p, gradient) for p, gradient in zip(candidates, divergence, strict=True) if gradient is not None
        ]
        parameters = [parameter for parameter, _ in used]
        objective = torch.autograd.grad(policy_objective, parameters, retain_graph=True)
        return (
            parameters,
            torch.cat([gradient.flatten() for gradient in objective]),
            torch.cat([gradient.flatten() for _, gradient in used]),
            [gradient.shape for _, gradient in used],
        )
