"""TorchRL: the joint environment as one of its own, and an actor and a critic as its modules."""

try:
    from rlld_agents.torchrl.env import STEP_INFO, JointEnv
    from rlld_agents.torchrl.policy import RemovalDistribution, make_policy, network
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] not in ("tensordict", "torchrl"):
        raise
    raise ImportError(
        f'rlld_agents.torchrl needs TorchRL ({error}): pip install "rlld-gym[torchrl]"'
    ) from error

__all__ = ["STEP_INFO", "JointEnv", "RemovalDistribution", "make_policy", "network"]
