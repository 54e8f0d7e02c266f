"""REINFORCE for label denoising; `reinforce` is to be read from top to bottom."""

from rlld_agents.reinforce.config import ReinforceConfig
from rlld_agents.reinforce.reinforce import POLICY_NAME, Reinforce

__all__ = ["POLICY_NAME", "Reinforce", "ReinforceConfig"]
