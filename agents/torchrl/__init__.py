"""TorchRL: the joint environment as one of its own, and an actor and a critic as its modules."""

try:
    import tensordict
    import torchrl
except ImportError as error:
    raise ImportError(
        f'rlld_agents.torchrl needs TorchRL ({error}): pip install "rlld-gym[torchrl]"'
    ) from error

from .env import STEP_INFO, JointEnv
from .policy import RemovalDistribution, make_policy, network

__all__ = ["STEP_INFO", "JointEnv", "RemovalDistribution", "make_policy", "network"]
