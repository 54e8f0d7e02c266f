"""Task networks: parsers that the environment trains on revised labels."""

from rlld_gym.parsing.networks.base import (
    ParsingOutput,
    TaskNetwork,
    find_network,
    make_network,
    network_names,
    register_network,
)
from rlld_gym.parsing.networks.checkpoints import checkpoint_systems, load_public_checkpoint
from rlld_gym.parsing.networks.han import HAN, AttentivePooling, HANLayer, HANStem

__all__ = [
    "HAN",
    "AttentivePooling",
    "HANLayer",
    "HANStem",
    "ParsingOutput",
    "TaskNetwork",
    "checkpoint_systems",
    "find_network",
    "load_public_checkpoint",
    "make_network",
    "network_names",
    "register_network",
]
