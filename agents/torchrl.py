"""TorchRL: the joint environment as one of its own, and an actor and a critic as its modules."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

from rlld_gym.denoising.labels import FREE
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES

from .actor_critic import HybridAttentionActorCritic

try:
    from tensordict import TensorDict, TensorDictBase
    from tensordict.nn import TensorDictModule
    from torchrl.data import Binary, Bounded, Composite, TensorSpec, Unbounded
    from torchrl.envs import EnvBase
    from torchrl.modules import ProbabilisticActor, ValueOperator
except ImportError as error:
    raise ImportError(f'rlld_agents.torchrl needs TorchRL ({error}): pip install "rlld-gym[torchrl]"') from error

STEP_INFO = (
    "inter_reward",
    "terminal_reward",
    "reward_audio",
    "reward_visual",
    "n_removed_audio",
    "n_removed_visual",
    "n_reverted",
)
"""Entries of a step's info that `JointEnv` shows; of rlld/LabelDenoising-v0 also the validation scores."""


class JointEnv(EnvBase):
    """A joint environment as one of TorchRL's environments, because `GymWrapper` takes flat actions only.

    The process is the wrapped environment's: equal seeds and equal actions give equal labels and rewards.

    Entries: those of the observation space; ``indices`` (B,) int64, ``action_mask`` (B, 2, C) bool, True where a
    label can be removed; ``info``, a dict of (1,) float32 about the step that led there, NaN where nothing was
    measured (after a reset, and validation scores except where the environment validates); ``reward`` (1,) float32;
    ``done``, ``terminated`` and ``truncated`` (1,) bool. The action is ``Binary((B, 2, C))``, int8; 1 removes.

    ``set_seed(seed)`` is for the next reset, which then is the wrapped environment's ``reset(seed=seed)``.

    Args:
        env: rlld/LabelDenoising-v0, rlld/PlantedNoise-v0, or one with their spaces and infos.
        info_keys: what to show of the infos. None: `STEP_INFO`, and of rlld/LabelDenoising-v0 also
            `rlld_gym.parsing.metrics.SCORE_NAMES`.
        device: of the tensors handed out.

    Raises:
        TypeError: its actions are not MultiBinary((B, 2, C)), or its observations no Dict of Box.

    Example:
        >>> import gymnasium as gym
        >>> from rlld_agents.torchrl import JointEnv
        >>> env = JointEnv(gym.make("rlld_gym:rlld/PlantedNoise-v0"))
        >>> env.rollout(3)["next", "reward"].shape
        torch.Size([3, 1])
    """

    def __init__(
        self,
        env: gymnasium.Env[Any, Any],
        *,
        info_keys: Sequence[str] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if not isinstance(env.action_space, spaces.MultiBinary) or len(env.action_space.shape) != 3:
            raise TypeError(f"JointEnv needs actions MultiBinary((B, 2, C)), found {env.action_space}")
        if not isinstance(env.observation_space, spaces.Dict):
            raise TypeError(f"JointEnv needs observations in a Dict, found {env.observation_space}")
        super().__init__(device=device)
        if info_keys is None:
            scores = SCORE_NAMES if isinstance(env.unwrapped, LabelDenoisingEnv) else ()
            info_keys = (*STEP_INFO, *scores)
        self.env = env
        self.observation_space = env.observation_space
        self.action_space = env.action_space
        self.info_keys = tuple(info_keys)
        self._next_seed: int | None = None
        self._has_begun = False
        self._set_specs(env.observation_space, env.action_space.shape)

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future, as the wrapped environment's ``get_state`` does."""
        state: dict[str, Any] = self.env.get_wrapper_attr("get_state")()
        return state

    def set_state(self, state: dict[str, Any]) -> TensorDictBase:
        """Go back to a state that `get_state` returned.

        Args:
            state: of an environment with the same arguments and the same data.

        Returns:
            What `reset` would return: the observation that the next action is for.

        Raises:
            InputError: it is no such state.
        """
        if not self._has_begun:  # wrappers refuse to step an environment that they have not seen reset
            self.env.reset()
            self._has_begun = True
        return self._tensors(*self.env.get_wrapper_attr("set_state")(state), ended=(False, False))

    def close(self, *, raise_if_closed: bool = True) -> None:
        """Close the wrapped environment, too."""
        super().close(raise_if_closed=raise_if_closed)
        self.env.close()

    def _set_specs(self, observation_space: spaces.Dict, action_shape: tuple[int, ...]) -> None:
        device = self.device
        self.observation_spec = Composite(
            **{key: _spec(space, device) for key, space in observation_space.items()},
            indices=Unbounded((action_shape[0],), dtype=torch.int64, device=device),
            action_mask=Binary(shape=torch.Size(action_shape), dtype=torch.bool, device=device),
            info=Composite({key: Unbounded((1,), device=device) for key in self.info_keys}, device=device),
            device=device,
        )
        self.action_spec = Binary(shape=torch.Size(action_shape), dtype=torch.int8, device=device)
        self.reward_spec = Unbounded((1,), device=device)
        self.done_spec = Composite(
            {
                key: Binary(shape=torch.Size((1,)), dtype=torch.bool, device=device)
                for key in ("done", "terminated", "truncated")
            },
            device=device,
        )

    def _reset(self, tensordict: TensorDictBase | None = None, **kwargs: Any) -> TensorDictBase:
        observation, info = self.env.reset(seed=self._next_seed)
        self._next_seed, self._has_begun = None, True
        return self._tensors(observation, info, ended=(False, False))

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        action = tensordict["action"].cpu().numpy()
        observation, reward, terminated, truncated, info = self.env.step(action)
        outcome = self._tensors(observation, info, ended=(terminated, truncated))
        return outcome.set("reward", torch.tensor([reward], dtype=torch.float32))

    def _set_seed(self, seed: int | None) -> None:
        self._next_seed = seed

    def _tensors(
        self, observation: dict[str, Any], info: dict[str, Any], *, ended: tuple[bool, bool]
    ) -> TensorDictBase:
        """Return a state's entries; ``ended`` is (terminated, truncated)."""
        measured = {key: torch.tensor([float(info.get(key, np.nan))]) for key in self.info_keys}
        return TensorDict(
            {
                **{key: torch.from_numpy(np.asarray(value)) for key, value in observation.items()},
                "indices": torch.from_numpy(info["indices"]),
                "action_mask": torch.from_numpy(info["action_mask"] == FREE),
                "info": measured,
                "done": torch.tensor([any(ended)]),
                "terminated": torch.tensor([ended[0]]),
                "truncated": torch.tensor([ended[1]]),
            },
            batch_size=[],
            device=self.device,
        )


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

    Both share one network, ``actor.get_submodule("0.module.model")``; see `network`.

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


def _spec(space: spaces.Space[Any], device: torch.device) -> TensorSpec:
    """Return the spec of an observation's entry.

    Features are unbounded: two bounds for each number would take 35 MB at LLP's sizes.
    """
    if not isinstance(space, spaces.Box):
        raise TypeError(f"JointEnv needs observations in a Dict of Box, found {space}")
    shape, dtype = torch.Size(space.shape), torch.from_numpy(np.empty(0, space.dtype)).dtype
    if space.dtype == np.float32:
        return Unbounded(shape, dtype=dtype, device=device)
    return Bounded(int(space.low.min()), int(space.high.max()), shape, dtype=dtype, device=device)
