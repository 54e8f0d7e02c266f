"""Stable-Baselines3 and sb3-contrib: environments, policies and checkpoints.

sb3-contrib is imported only with ``HybridAttentionMaskableActorCriticPolicy``, ``SinglePassTRPO`` or a checkpoint
of its algorithms.
"""

import importlib
from typing import TYPE_CHECKING, Any

try:
    import stable_baselines3  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'rlld_agents.sb3 needs stable-baselines3 ({error}): pip install "rlld-gym[sb3]"'
    ) from error

from rlld_agents.sb3.action_masks import ActionMasks as ActionMasks
from rlld_agents.sb3.policy import HybridAttentionActorCriticPolicy as HybridAttentionActorCriticPolicy
from rlld_agents.sb3.saving import load as load
from rlld_agents.sb3.saving import save as save
from rlld_agents.sb3.vec_env import PerVideoVecEnv as PerVideoVecEnv

if TYPE_CHECKING:
    from rlld_agents.sb3.maskable import (
        HybridAttentionMaskableActorCriticPolicy as HybridAttentionMaskableActorCriticPolicy,
    )
    from rlld_agents.sb3.trpo import SinglePassTRPO as SinglePassTRPO

__all__ = [
    "ActionMasks",
    "HybridAttentionActorCriticPolicy",
    "HybridAttentionMaskableActorCriticPolicy",
    "PerVideoVecEnv",
    "SinglePassTRPO",
    "load",
    "save",
]


_NEED_CONTRIB = {"HybridAttentionMaskableActorCriticPolicy": ".maskable", "SinglePassTRPO": ".trpo"}


def __getattr__(name: str) -> Any:
    """Import what needs sb3-contrib on first use."""
    if name not in _NEED_CONTRIB:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_NEED_CONTRIB[name], __name__), name)


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet: for tab completion."""
    return sorted({*globals(), *__all__})
