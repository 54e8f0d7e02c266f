"""The data that REINFORCE learns from, as its environment knows them."""

from typing import Any

import gymnasium
from torch import nn

from rlld_agents.policies.base import RemovalPolicy
from rlld_gym.data.fingerprint import DataFingerprint, require_same


def data_of(env: Any) -> DataFingerprint | None:
    """Return what identifies the data set of an environment; None of one that has none.

    Args:
        env: one environment, or several in this process, of which the first speaks.
    """
    inner = env.unwrapped
    copies = getattr(inner, "envs", None)
    return data_of(copies[0]) if copies else getattr(inner, "data_fingerprint", None)


def name_data(policy: nn.Module, env: gymnasium.Env[Any, Any]) -> None:
    """Let a policy's file say which data it learned from, unless something else has been said."""
    if isinstance(policy, RemovalPolicy) and policy.data is None:
        policy.data = data_of(env)


def check_same_data(env: gymnasium.Env[Any, Any], stored: Any, source: str) -> None:
    """Raise InputError where a state was stored with other data than the environment's.

    Args:
        env: the environment.
        stored: the fingerprint as a dictionary; None: not known.
        source: the state's file, for the message.
    """
    data = data_of(env)
    if stored is not None and data is not None:
        require_same(DataFingerprint.from_dict(stored, source), data, f"{source}: the run")
