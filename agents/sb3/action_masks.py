"""Masks of the joint environment in the form that sb3-contrib asks for."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import RecordConstructorArgs
from numpy.typing import NDArray


class ActionMasks(gymnasium.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Adds ``action_masks()`` to the joint environment with `FlattenAction`, for MaskablePPO.

    `PerVideoVecEnv` has that method itself.

    Args:
        env: an environment whose info has ``action_mask`` in the encoding of ``MultiBinary.sample(mask=...)``.

    Examples:
        >>> import gymnasium as gym
        >>> from rlld_agents.sb3 import ActionMasks
        >>> from rlld_gym.envs.wrappers import FlattenAction
        >>> env = gym.make("rlld_gym:rlld/LabelDenoising-v0", data="twin-tiny", batch_size=4)
        >>> env = ActionMasks(FlattenAction(env))
        >>> _ = env.reset()
        >>> env.action_masks().shape
        (400,)
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)
        self._mask: NDArray[np.int8] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; see it."""
        observation, info = self.env.reset(seed=seed, options=options)
        self._mask = info["action_mask"]
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; see it."""
        outcome = self.env.step(action)
        self._mask = outcome[-1]["action_mask"]
        return outcome

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which choices are open: bool (2 * bits,), see `pairs`.

        Raises:
            RuntimeError: before the first reset.
        """
        if self._mask is None:
            raise RuntimeError("no state to mask yet: call reset() first")
        return pairs(self._mask).reshape(-1)


def pairs(mask: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return for each bit whether 0 (keep) and whether 1 (remove) is open.

    Args:
        mask: (..., bits) in the encoding of ``MultiBinary.sample(mask=...)``: 0 and 1 fix a bit to that value, 2
            leaves it free.

    Returns:
        (..., 2 * bits), the layout of sb3-contrib's masks.
    """
    both = np.stack((mask != 1, mask != 0), axis=-1)
    return both.reshape(*mask.shape[:-1], -1)
