"""A wrapper that turns one removal rate for each class and modality into the bits of a batch."""

import math
from typing import Any, Final

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from rlld_gym.denoising.labels import EmptyRule, revise_labels
from rlld_gym.denoising.training_evidence import label_ranks
from rlld_gym.envs.observations import Observation
from rlld_gym.errors import InputError

Rates = NDArray[np.floating[Any]]

MIDDLE_SHARES: Final = (0.05, 0.2)
"""Shares of the audio and of the visual labels that an action of 0 removes: about those that are wrong in LLP's
validation videos, visual fewer. Keeping everything is a local optimum of the return: start away from it."""


def removal_shares(action: Rates, middle_shares: tuple[float, float] = MIDDLE_SHARES) -> NDArray[np.float32]:
    """Return the shares of labels that an action removes: ((1 + action) / 2) ** p, where 0 gives the middle.

    Args:
        action: (2, C) within [-1, 1]: -1 removes nothing, 1 all; values outside count as the nearest inside.
        middle_shares: what 0 removes, of the audio and of the visual labels.

    Returns:
        (2, C) float32 in [0, 1], rising with the action.
    """
    powers = np.array([math.log(share) / math.log(0.5) for share in middle_shares])
    shares: NDArray[np.float32] = (((1 + np.clip(action, -1, 1)) / 2) ** powers[:, None]).astype(np.float32)
    return shares


class RemovalRates(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Makes the action the share of each class's labels to remove in each modality: Box(-1, 1, (2, C)).

    Of the labels of a class in all training videos that share is removed for which the starting parser has the
    least evidence in this modality; a batch shows some of them. `removal_shares` says which share an action stands
    for.
    ``info["removed_share"]`` (2, C) float32 has them after every step.

    Args:
        env: rlld/LabelDenoising-v0 whose episodes do not start from a new parser, in any wrappers that leave its
            action space and ``info["indices"]`` alone.
        middle_shares: what an action of 0 removes, of the audio and of the visual labels; above 0 and below 1.

    Raises:
        TypeError: the environment is another one.
        InputError: shares out of range.

    Examples:
        >>> import gymnasium as gym
        >>> from rlld_gym.envs.removal_rates import RemovalRates
        >>> env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", batch_size=4)
        >>> RemovalRates(env).action_space
        Box(-1.0, 1.0, (2, 25), float32)
    """

    def __init__(
        self, env: gymnasium.Env[Observation, Any], middle_shares: tuple[float, float] = MIDDLE_SHARES
    ) -> None:
        RecordConstructorArgs.__init__(self, middle_shares=middle_shares)
        super().__init__(env)
        shape = env.action_space.shape
        if not env.has_wrapper_attr("training_evidence") or shape is None or len(shape) != 3:
            raise TypeError(
                f"RemovalRates needs rlld/LabelDenoising-v0 with its own action space, found {env}"
            )
        self._middle_shares = _checked_shares(middle_shares)
        self.action_space = spaces.Box(-1, 1, shape[1:], np.float32)
        self._ranks: NDArray[np.float32] | None = None
        self._indices: NDArray[np.int64] = np.zeros(0, np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Reset the environment; see it."""
        return self._begin(*self.env.reset(seed=seed, options=options))

    def step(self, action: Rates) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Remove these shares of labels.

        Args:
            action: (2, C), or flat (2 * C,), finite.

        Raises:
            ValueError: the action has another shape, or is not finite.
            ResetNeeded: before the first reset, or after the end of the episode.
        """
        observation, reward, terminated, truncated, info = self.env.step(self.bits(action))
        self._indices = info["indices"]
        shares = removal_shares(self._checked(action), self._middle_shares)
        return observation, reward, terminated, truncated, {**info, "removed_share": shares}

    def bits(self, action: Rates) -> NDArray[np.int8]:
        """Return the bits that an action stands for now, (B, 2, C).

        Args:
            action: as for `step`.

        Raises:
            ValueError: the action has another shape, or is not finite.
            ResetNeeded: before the first reset.
        """
        shares = removal_shares(self._checked(action), self._middle_shares)
        return (self._known_ranks()[self._indices] < shares).astype(np.int8)

    def remaining_labels(self, action: Rates, empty_rule: EmptyRule = "video") -> NDArray[np.bool_]:
        """Return the labels of all training videos that an action leaves: the outcome to train a parser on.

        Args:
            action: as for `step`.
            empty_rule: which videos get their labels back, see `rlld_gym.denoising.labels.revise_labels`.

        Returns:
            (N, 2, C) bool, audio then visual.

        Raises:
            ValueError: the action has another shape, or is not finite.
            ResetNeeded: before the first reset.
        """
        ranks = self._known_ranks()
        removed = ranks < removal_shares(self._checked(action), self._middle_shares)
        labels = torch.from_numpy(np.isfinite(ranks))
        revision = revise_labels(labels[:, 0], labels[:, 1], torch.from_numpy(removed), empty_rule)
        return torch.stack((revision.audio, revision.visual), dim=1).numpy()

    def get_state(self) -> dict[str, Any]:
        """Return the environment's state."""
        state: dict[str, Any] = self._labels_env().get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        """Go back to a state that `get_state` returned."""
        return self._begin(*self._labels_env().set_state(state))

    def _labels_env(self) -> Any:
        return self.unwrapped

    def _begin(self, observation: Observation, info: dict[str, Any]) -> tuple[Observation, dict[str, Any]]:
        if self._ranks is None:
            self._ranks = label_ranks(self.env.get_wrapper_attr("training_evidence")())
        self._indices = info["indices"]
        return observation, info

    def _known_ranks(self) -> NDArray[np.float32]:
        if self._ranks is None:
            raise ResetNeeded("the training videos are unknown before the first reset()")
        return self._ranks

    def _checked(self, action: Rates) -> Rates:
        shape = self.action_space.shape
        rates = np.asarray(action)
        if rates.dtype.kind not in "biuf" or rates.shape not in (shape, (math.prod(shape or ()),)):
            raise ValueError(
                f"action has shape {rates.shape} and dtype {rates.dtype}; expected {shape} numbers: modalities "
                "(audio, visual), classes"
            )
        if not np.isfinite(rates).all():
            raise ValueError("action contains a number that is not finite; expected numbers from -1 to 1")
        return rates.reshape(shape)


def _checked_shares(shares: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(shares, tuple | list) or len(shares) != 2 or not all(0 < share < 1 for share in shares):
        raise InputError(
            f"middle_shares is {shares!r}; expected two numbers above 0 and below 1, for audio and visual labels"
        )
    audio, visual = (float(share) for share in shares)
    return audio, visual
