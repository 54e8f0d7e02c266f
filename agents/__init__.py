"""Agents, policies and the command line for rlld_gym.

The names below are imported on first use, so that ``rlld --help`` does not wait for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlld_agents.imitation import WarmStartConfig as WarmStartConfig
    from rlld_agents.imitation import warm_start as warm_start
    from rlld_agents.policies.denoising import denoise as denoise
    from rlld_agents.policies.ensemble import PolicyEnsemble as PolicyEnsemble
    from rlld_agents.policies.files import check_fits as check_fits
    from rlld_agents.policies.files import load_policy as load_policy
    from rlld_agents.policies.files import save_policy as save_policy
    from rlld_agents.policies.hybrid import HybridAttentionPolicy as HybridAttentionPolicy
    from rlld_agents.policies.network import NetworkPolicy as NetworkPolicy
    from rlld_agents.reinforce import Reinforce as Reinforce
    from rlld_agents.reinforce import ReinforceConfig as ReinforceConfig
    from rlld_agents.reinforce.parallel import ParallelReinforce as ParallelReinforce

_HOMES = {
    "HybridAttentionPolicy": "rlld_agents.policies.hybrid",
    "NetworkPolicy": "rlld_agents.policies.network",
    "ParallelReinforce": "rlld_agents.reinforce.parallel",
    "PolicyEnsemble": "rlld_agents.policies.ensemble",
    "Reinforce": "rlld_agents.reinforce",
    "ReinforceConfig": "rlld_agents.reinforce",
    "WarmStartConfig": "rlld_agents.imitation",
    "check_fits": "rlld_agents.policies.files",
    "denoise": "rlld_agents.policies.denoising",
    "load_policy": "rlld_agents.policies.files",
    "save_policy": "rlld_agents.policies.files",
    "warm_start": "rlld_agents.imitation",
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


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet: for tab completion."""
    return sorted({*globals(), *__all__})
