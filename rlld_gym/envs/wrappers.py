"""Wrappers that give the action space of label denoising the form that a library asks for."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray

from rlld_gym.envs.observations import Observation

Bits = NDArray[np.integer[Any]]
Environment = gymnasium.Env[Observation, Any]


class _ActionForm(gymnasium.Wrapper[Observation, Bits, Observation, Any], RecordConstructorArgs):
    """Takes the bits of a MultiBinary action in another shape and hands out the action mask accordingly."""

    def __init__(self, env: Environment) -> None:
        if not isinstance(env.action_space, spaces.MultiBinary):
            raise TypeError(
                f"{type(self).__name__} needs a MultiBinary action space, found {env.action_space}"
            )
        super().__init__(env)
        self._bits_shape = env.action_space.shape

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Reset the environment; see it."""
        observation, info = self.env.reset(seed=seed, options=options)
        return observation, self._translated(info)

    def step(self, action: Bits) -> tuple[Observation, Any, bool, bool, dict[str, Any]]:
        """Pass an action of this wrapper's shape on.

        Raises:
            ValueError: the action has another shape, or values other than 0 and 1.
        """
        bits = np.asarray(action)
        if bits.shape != self.action_space.shape:
            raise ValueError(f"action has shape {bits.shape}; expected {self.action_space.shape}")
        observation, reward, terminated, truncated, info = self.env.step(bits.reshape(self._bits_shape))
        return observation, reward, terminated, truncated, self._translated(info)

    def _translated(self, info: dict[str, Any]) -> dict[str, Any]:
        if "action_mask" not in info:
            return info
        return {**info, "action_mask": self._mask(info["action_mask"])}

    def _mask(self, mask: NDArray[np.int8]) -> NDArray[np.int8]:
        raise NotImplementedError


class FlattenAction(_ActionForm):
    """Makes the action a flat MultiBinary(B * 2 * C), which Stable-Baselines3 and TorchRL ask for.

    Bits are in C order: video by video, audio before visual, class by class. ``info["action_mask"]`` is flat,
    too, in the encoding of ``MultiBinary.sample(mask=...)``.

    Args:
        env: an environment with a MultiBinary action of any shape.

    Raises:
        TypeError: its action space is another one.

    Examples:
        >>> import gymnasium as gym
        >>> from rlld_gym.envs.wrappers import FlattenAction
        >>> env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", batch_size=4)
        >>> FlattenAction(env).action_space
        MultiBinary(200)
    """

    def __init__(self, env: Environment) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self.action_space = spaces.MultiBinary(int(np.prod(self._bits_shape)))

    def _mask(self, mask: NDArray[np.int8]) -> NDArray[np.int8]:
        return mask.reshape(-1)


class ToMultiDiscrete(_ActionForm):
    """Makes the action a MultiDiscrete of twos, which skrl and RLlib's default module ask for.

    ``info["action_mask"]`` says for each bit whether 0 (keep) and whether 1 (remove) is allowed: int8
    (..., 2) of 0 and 1. ``action_space.sample(mask=tuple(mask))`` takes it if ``flat``; ``mask.reshape(-1)``
    has the layout of sb3-contrib's ``action_masks()``.

    Args:
        env: an environment with a MultiBinary action of any shape.
        flat: MultiDiscrete([2] * (B * 2 * C)), in C order; otherwise of shape (B, 2, C), which few libraries take.

    Raises:
        TypeError: its action space is another one.

    Examples:
        >>> import gymnasium as gym
        >>> from rlld_gym.envs.wrappers import ToMultiDiscrete
        >>> env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", batch_size=4)
        >>> ToMultiDiscrete(env).action_space.shape
        (200,)
    """

    def __init__(self, env: Environment, flat: bool = True) -> None:
        RecordConstructorArgs.__init__(self, flat=flat)
        super().__init__(env)
        shape = (int(np.prod(self._bits_shape)),) if flat else self._bits_shape
        self._shape = shape
        self.action_space = spaces.MultiDiscrete(np.full(shape, 2))

    def _mask(self, mask: NDArray[np.int8]) -> NDArray[np.int8]:
        # MultiBinary's 0 and 1 fix a bit to that value, 2 leaves it free.
        return np.stack((mask != 1, mask != 0), axis=-1).astype(np.int8).reshape(*self._shape, 2)
