"""Label denoisers behind one interface, a file for each; `registry` names them and imports one when it is made."""

from rlld_agents.baselines.base import Context, Denoised, Denoiser, check_denoised
from rlld_agents.baselines.registry import METHODS, Method, make

__all__ = ["METHODS", "Context", "Denoised", "Denoiser", "Method", "check_denoised", "make"]
