"""Actor, critic and action distribution for TorchRL's collectors and losses."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from tensordict.nn import TensorDictModule
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent
from torchrl.modules import ProbabilisticActor, ValueOperator

from rlld_agents.policies.actor_critic import HybridAttentionActorCritic
from rlld_gym.errors import InputError


class RemovalDistribution(Independent):
    """Independent Bernoulli variables, one for each bit of an action, as one distribution of int8 actions.

    Args:
        logits: (..., *action shape) log-odds of removing.
        bits_dims: how many axes an action has: 3 for (B, 2, C), 1 for a flat action.
    """

    def __init__(self, logits: Tensor, bits_dims: int = 1) -> None:
        super().__init__(Bernoulli(logits=logits, validate_args=False), bits_dims, validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draw actions, int8 of 0 and 1, as the environments' actions are."""
        return super().sample(torch.Size(sample_shape)).to(torch.int8)

    def log_prob(self, value: Tensor) -> Tensor:
        """Return log-probabilities of actions of any dtype, one for each action."""
        log_probability: Tensor = super().log_prob(value.to(self.base_dist.logits.dtype))
        return log_probability

    @property
    def mode(self) -> Tensor:
        """The most probable action, int8; torch's own has NaN where the probability is exactly 1/2."""
        return (self.base_dist.logits > 0).to(torch.int8)

    @property
    def deterministic_sample(self) -> Tensor:
        """What TorchRL's ``ExplorationType.DETERMINISTIC`` takes: the mode."""
        return self.mode


class Logits(nn.Module):
    """The removal logits of a `HybridAttentionActorCritic`, called with an observation's entries in order.

    Args:
        model: the network.
        keys: names of the entries.
    """

    def __init__(self, model: HybridAttentionActorCritic, keys: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.keys = tuple(keys)

    def forward(self, *entries: Tensor) -> Tensor:
        """Return logits (N..., *action shape), float32."""
        logits: Tensor = self.model(dict(zip(self.keys, entries, strict=True)))[0]
        return logits


class Value(Logits):
    """The values of a `HybridAttentionActorCritic`, called with an observation's entries in order."""

    def forward(self, *entries: Tensor) -> Tensor:
        """Return values (N..., 1), float32."""
        values: Tensor = self.model(dict(zip(self.keys, entries, strict=True)))[1]
        return values.unsqueeze(-1)


def make_policy(
    observation_space: gymnasium.Space[Any], action_space: gymnasium.Space[Any], **options: Any
) -> tuple[ProbabilisticActor, ValueOperator]:
    """Make an actor and a critic for TorchRL's collectors and for its on-policy losses.

    Both share one network, which `network` returns. Losses and optimizers change its weights in place.

    Args:
        observation_space: of the joint environment or of one video (``single_observation_space``), with features
            or indices.
        action_space: of the joint environment, also with `rlld_gym.envs.wrappers.FlattenAction`, or of one video
            (``single_action_space``).
        **options: of `HybridAttentionActorCritic.for_spaces`: ``data`` (needed with indices), ``seed``,
            ``hidden_size``, ``initial_removal``, ...

    Raises:
        ValueError: other spaces, or indices without ``data``.
    """
    model = HybridAttentionActorCritic.for_spaces(observation_space, action_space, **options)
    assert isinstance(observation_space, spaces.Dict)
    keys = list(observation_space.spaces)
    actor = ProbabilisticActor(
        TensorDictModule(Logits(model, keys), in_keys=keys, out_keys=["logits"]),
        in_keys=["logits"],
        distribution_class=RemovalDistribution,
        distribution_kwargs={"bits_dims": len(model.action_shape)},
        return_log_prob=True,
    )
    return actor, ValueOperator(Value(model, keys), in_keys=keys)


def network(actor: ProbabilisticActor) -> HybridAttentionActorCritic:
    """Return an actor's network; its ``policy`` is what `rlld_agents.denoise` and ``save_policy`` take.

    Args:
        actor: of `make_policy`.

    Raises:
        InputError: another actor.
    """
    for module in actor.modules():
        if isinstance(module, HybridAttentionActorCritic):
            return module
    raise InputError(f"found a {type(actor).__name__} without our network; expected an actor of make_policy")
