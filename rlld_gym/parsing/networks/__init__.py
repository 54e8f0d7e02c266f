"""Task networks: parsers that the environment trains on revised labels."""

from rlld_gym.parsing.networks.ave import AVE
from rlld_gym.parsing.networks.avsdn import AVSDN
from rlld_gym.parsing.networks.base import (
    ParsingOutput,
    TaskNetwork,
    find_network,
    make_network,
    network_names,
    register_network,
)
from rlld_gym.parsing.networks.checkpoints import checkpoint_systems, load_public_checkpoint
from rlld_gym.parsing.networks.cmpae import CMPAE
from rlld_gym.parsing.networks.cpsp import CPSP
from rlld_gym.parsing.networks.cvcms import CVCMS
from rlld_gym.parsing.networks.dhhn import DHHN
from rlld_gym.parsing.networks.han import HAN, AttentivePooling, HANLayer, HANStem
from rlld_gym.parsing.networks.lsld import LSLD
from rlld_gym.parsing.networks.mgn import MGN
from rlld_gym.parsing.networks.mm_cse import MMCSE
from rlld_gym.parsing.networks.mm_pyramid import MMPyramid
from rlld_gym.parsing.networks.valor import VALOR, VALORPlus, VALORPlusPlus

__all__ = [
    "AVE",
    "AVSDN",
    "CMPAE",
    "CPSP",
    "CVCMS",
    "DHHN",
    "HAN",
    "LSLD",
    "MGN",
    "MMCSE",
    "VALOR",
    "AttentivePooling",
    "HANLayer",
    "HANStem",
    "MMPyramid",
    "ParsingOutput",
    "TaskNetwork",
    "VALORPlus",
    "VALORPlusPlus",
    "checkpoint_systems",
    "find_network",
    "load_public_checkpoint",
    "make_network",
    "network_names",
    "register_network",
]
