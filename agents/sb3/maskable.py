"""The hybrid attention policy for sb3-contrib's MaskablePPO."""

from collections.abc import Callable
from typing import Any

import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

from rlld_agents.sb3.network import HybridAttentionMixin

try:
    from sb3_contrib.common.maskable.distributions import MaskableDistribution
    from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
except ImportError as error:
    raise ImportError(f'MaskablePPO needs sb3-contrib ({error}): pip install "rlld-gym[sb3]"') from error

CLOSED_LOGIT = 1e8
"""Log-odds of a choice that is masked out: its probability is exactly 0."""


class MaskableRemovalDistribution(MaskableDistribution):
    """Independent bits with masks, all bits in one tensor.

    sb3-contrib's own distribution is a list of categorical distributions, one Python object for each bit, which
    takes seconds for the 6 400 bits of a batch.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.logits = torch.zeros(0)
        self.distribution: Any = None

    def proba_distribution_net(self, latent_dim: int) -> nn.Module:
        """Return an identity: the network's outputs are logits."""
        return nn.Identity()

    def proba_distribution(self, action_logits: Tensor) -> "MaskableRemovalDistribution":
        """Take logits (N, bits) of removal, unmasked."""
        self.logits = action_logits
        self.apply_masking(None)
        return self

    def apply_masking(self, masks: Tensor | NDArray[Any] | None) -> None:
        """Close choices.

        Args:
            masks: (N, 2 * bits) of True or 1 for open: a pair for each bit, whether 0 and whether 1 is open. 0 is
                chosen where neither is. None opens everything.
        """
        logits = self.logits
        if masks is not None:
            pairs = torch.as_tensor(masks)
            pairs = pairs.to(logits.device).bool().reshape(*logits.shape, 2)
            logits = torch.where(pairs[..., 0], logits, CLOSED_LOGIT)
            logits = torch.where(pairs[..., 1], logits, -CLOSED_LOGIT)
        self.distribution = Independent(Bernoulli(logits=logits), 1)

    def log_prob(self, actions: Tensor) -> Tensor:
        """Return log-probabilities (N,) of actions (N, bits)."""
        return self.distribution.log_prob(actions.float())  # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        """Return entropies (N,)."""
        return self.distribution.entropy()  # type: ignore[no-any-return]

    def sample(self) -> Tensor:
        """Return random actions (N, bits) of 0 and 1."""
        return self.distribution.sample()  # type: ignore[no-any-return]

    def mode(self) -> Tensor:
        """Return the likeliest actions (N, bits) of 0 and 1."""
        return torch.round(self.distribution.mean)

    def actions_from_params(self, action_logits: Tensor, deterministic: bool = False) -> Tensor:
        """Return actions for logits (N, bits)."""
        return self.proba_distribution(action_logits).get_actions(deterministic=deterministic)

    def log_prob_from_params(self, action_logits: Tensor) -> tuple[Tensor, Tensor]:
        """Return random actions for logits (N, bits), and their log-probabilities."""
        actions = self.actions_from_params(action_logits)
        return actions, self.log_prob(actions)


class HybridAttentionMaskableActorCriticPolicy(HybridAttentionMixin, MaskableActorCriticPolicy):
    """`HybridAttentionActorCriticPolicy` for MaskablePPO, which asks the environment for masks.

    `PerVideoVecEnv` has them. Masks come from outside, so that ``mask_absent`` is False unless it is given.

    Args:
        *arguments: as `HybridAttentionActorCriticPolicy` takes them.
        mask_absent: as there.
        **options: as there.

    Raises:
        ValueError: as there.
    """

    def __init__(self, *arguments: Any, mask_absent: bool = False, **options: Any) -> None:
        super().__init__(*arguments, mask_absent=mask_absent, **options)

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        assert isinstance(self.action_space, spaces.MultiBinary)
        self.action_dist = MaskableRemovalDistribution()
        super()._build(lr_schedule)
