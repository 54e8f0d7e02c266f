"""What the policies for Stable-Baselines3 and for sb3-contrib have in common."""

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from rlld_agents.policies.actor_critic import HybridAttentionActorCritic
from rlld_agents.policies.hybrid import HybridAttentionPolicy
from rlld_gym.errors import InputError
from rlld_gym.options import require_count, require_number, require_width

_OWN: Final = ("data", "data_seed", "seed", "mask_absent", "optimizer_class", "optimizer_kwargs")
"""Options of the policies themselves."""
_OF_SPACES: Final = frozenset({"audio_size", "visual_size", "num_classes"})
"""Arguments of the network that follow from the spaces."""


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
    """Builds the hybrid attention network in place of an SB3 policy's multi-layer perceptron.

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
    _dummy_schedule: Callable[[float], float]

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Callable[[float], float],
        *,
        data: str | None = None,
        data_seed: int = 0,
        seed: int | None = None,
        mask_absent: bool = True,
        use_sde: bool = False,
        optimizer_class: type[Optimizer] = Adam,
        optimizer_kwargs: dict[str, Any] | None = None,
        **policy_options: Any,
    ) -> None:
        _check_action_space(action_space)
        check_policy_options(policy_options)
        if use_sde:
            raise ValueError("use_sde is True; expected False: actions are bits")
        self._options = {
            "data": data,
            "data_seed": data_seed,
            "seed": seed,
            "mask_absent": mask_absent,
            **policy_options,
        }
        super().__init__(
            observation_space,  # type: ignore[call-arg]
            action_space,
            lr_schedule,
            ortho_init=False,
            features_extractor_class=PassThrough,
            normalize_images=False,
            optimizer_class=optimizer_class,
            optimizer_kwargs=optimizer_kwargs,
        )

    @property
    def actor_critic(self) -> HybridAttentionActorCritic:
        """The network; its ``policy`` is what `rlld_agents.denoise` and ``rlld_agents.save_policy`` take."""
        network: HybridAttentionActorCritic = self.mlp_extractor.actor_critic
        return network

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        options = dict(self._options)
        if options["seed"] is None:  # the algorithm's seed is in PyTorch's global generator
            options["seed"] = int(torch.randint(2**31, ()))
        self.mlp_extractor = RemovalNetwork(
            HybridAttentionActorCritic.for_spaces(self.observation_space, self.action_space, **options)
        )
        self.action_net, self.value_net = nn.Identity(), nn.Identity()
        arguments: dict[str, Any] = {"lr": lr_schedule(1), **self.optimizer_kwargs}
        parameters = self.parameters()  # type: ignore[attr-defined]
        self.optimizer = self.optimizer_class(parameters, **arguments)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            "observation_space": self.observation_space,
            "action_space": self.action_space,
            "lr_schedule": self._dummy_schedule,
            "optimizer_class": self.optimizer_class,
            "optimizer_kwargs": self.optimizer_kwargs,
            **self._options,
        }


def check_policy_options(options: Mapping[str, Any]) -> None:
    """Raise InputError where ``policy_kwargs`` hold an unknown option, or one that cannot be used."""
    known = inspect.signature(HybridAttentionPolicy).parameters
    allowed = [name for name in known if name not in _OF_SPACES]
    for name in options:
        if name not in allowed:
            close = difflib.get_close_matches(name, [*_OWN, *allowed], 1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise InputError(
                f"policy_kwargs: unknown option {name!r}; {hint}expected some of {', '.join([*_OWN, *allowed])}"
            )
    if "hidden_size" in options:
        require_width("policy_kwargs: hidden_size", options["hidden_size"])
    if "visual_3d_size" in options:
        require_count("policy_kwargs: visual_3d_size", options["visual_3d_size"], lowest=0)
    if "initial_removal" in options:
        require_number("policy_kwargs: initial_removal", options["initial_removal"])
    if "initialized_labels" in options and not isinstance(options["initialized_labels"], bool):
        raise InputError(
            f"policy_kwargs: initialized_labels is {options['initialized_labels']!r}; expected True or False"
        )


def _check_action_space(space: spaces.Space[Any]) -> None:
    if not isinstance(space, spaces.MultiBinary) or len(space.shape) != 1:
        raise ValueError(
            f"expected actions MultiBinary(n), found {space}; wrap the joint environment with "
            "rlld_gym.envs.wrappers.FlattenAction"
        )
