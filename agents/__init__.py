"""Agents, policies and the command line for rlld_gym.

Most names below are imported on first use, so that ``rlld --help`` does not wait for torch. ``denoise`` is imported
at once (its module needs no torch): function and module share the name, and the function must win.
"""

import importlib
from typing import TYPE_CHECKING, Any

from rlld_agents.denoise import denoise as denoise

if TYPE_CHECKING:
    from rlld_agents.network_policy import NetworkPolicy as NetworkPolicy
    from rlld_agents.parallel_reinforce import ParallelReinforce as ParallelReinforce
    from rlld_agents.policy import HybridAttentionPolicy as HybridAttentionPolicy
    from rlld_agents.policy import check_fits as check_fits
    from rlld_agents.policy import load_policy as load_policy
    from rlld_agents.policy import save_policy as save_policy
    from rlld_agents.policy_ensemble import PolicyEnsemble as PolicyEnsemble
    from rlld_agents.pretrain import WarmStartConfig as WarmStartConfig
    from rlld_agents.pretrain import warm_start as warm_start
    from rlld_agents.reinforce import Reinforce as Reinforce
    from rlld_agents.reinforce import ReinforceConfig as ReinforceConfig

_HOMES = {
    "HybridAttentionPolicy": "rlld_agents.policy",
    "NetworkPolicy": "rlld_agents.network_policy",
    "ParallelReinforce": "rlld_agents.parallel_reinforce",
    "PolicyEnsemble": "rlld_agents.policy_ensemble",
    "Reinforce": "rlld_agents.reinforce",
    "ReinforceConfig": "rlld_agents.reinforce",
    "WarmStartConfig": "rlld_agents.pretrain",
    "check_fits": "rlld_agents.policy",
    "load_policy": "rlld_agents.policy",
    "save_policy": "rlld_agents.policy",
    "warm_start": "rlld_agents.pretrain",
}

__all__ = [
    "HybridAttentionPolicy",
    "NetworkPolicy",
    "ParallelReinforce",
    "PolicyEnsemble",
    "Reinforce",
    "ReinforceConfig",
    "WarmStartConfig",
    "check_fits",
    "denoise",
    "load_policy",
    "save_policy",
    "warm_start",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
