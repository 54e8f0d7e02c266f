"""The joint environment as one of TorchRL's own."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Binary, Bounded, Composite, TensorSpec, Unbounded
from torchrl.envs import EnvBase

from rlld_gym.denoising.labels import FREE
from rlld_gym.envs.label_denoising import LabelDenoisingEnv
from rlld_gym.errors import InputError
from rlld_gym.parsing.metrics import SCORE_NAMES

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

    ``set_seed`` and `set_state` are for the next reset: it is the wrapped environment's ``reset(seed=seed)``, or
    goes on from that state.

    Closing it leaves the wrapped environment open: collectors close theirs before they hand out the last batch, and
    then no state could be stored any more. ``env.env.close()`` closes that.

    Args:
        env: rlld/LabelDenoising-v0, rlld/PlantedNoise-v0, or one with their spaces and infos.
        info_keys: what to show of the infos. None: `STEP_INFO`, and of rlld/LabelDenoising-v0 also
            `rlld_gym.parsing.metrics.SCORE_NAMES`.
        device: of the tensors handed out.

    Raises:
        TypeError: its actions are not MultiBinary((B, 2, C)), or its observations no Dict of Box.

    Examples:
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
        self._next_state: dict[str, Any] | None = None
        self._ended = False
        self._set_specs(env.observation_space, env.action_space.shape)

    def get_state(self) -> dict[str, Any]:
        """Return everything that decides the future; `rlld_agents.runs.checkpoint.save_checkpoint` can store it.

        Raises:
            ResetNeeded: before the first reset.
        """
        return {"environment": self.env.get_wrapper_attr("get_state")(), "ended": self._ended}

    def set_state(self, state: dict[str, Any]) -> None:
        """Make the next reset go on from a state that `get_state` returned instead of beginning an episode.

        That reset is a collector's or a rollout's own first one, so that they go on like the ones before them.

        Args:
            state: of an environment with the same arguments and the same data.

        Raises:
            InputError: it is no such state; one of another environment is found out by the reset.
        """
        if not isinstance(state, dict) or state.keys() != {"environment", "ended"}:
            found = sorted(state) if isinstance(state, dict) else type(state).__name__
            raise InputError(f"the state is {found}; expected what JointEnv.get_state() returned")
        self._next_state = state

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
        state, seed = self._next_state, self._next_seed
        self._next_state, self._next_seed = None, None
        if state is not None:
            self.env.reset()  # wrappers refuse to step an environment that they have not seen reset
            observation, info = self.env.get_wrapper_attr("set_state")(state["environment"])
        if state is None or state["ended"]:
            observation, info = self.env.reset(seed=seed)
        self._ended = False
        return self._tensors(observation, info, ended=(False, False))

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        action = tensordict["action"].cpu().numpy()
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._ended = terminated or truncated
        outcome = self._tensors(observation, info, ended=(terminated, truncated))
        return outcome.set("reward", torch.tensor([reward], dtype=torch.float32))

    def _set_seed(self, seed: int | None) -> None:
        self._next_seed, self._next_state = seed, None

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


def _spec(space: spaces.Space[Any], device: torch.device) -> TensorSpec:
    """Return the spec of an observation's entry.

    Features are unbounded: their bounds are the largest numbers of a type, whose difference can be infinite.
    """
    if not isinstance(space, spaces.Box):
        raise TypeError(f"JointEnv needs observations in a Dict of Box, found {space}")
    shape, dtype = torch.Size(space.shape), torch.from_numpy(np.empty(0, space.dtype)).dtype
    if space.dtype == np.float32:
        return Unbounded(shape, dtype=dtype, device=device)
    return Bounded(int(space.low.min()), int(space.high.max()), shape, dtype=dtype, device=device)
