"""Task networks: parsers that the environment trains on revised labels; each is imported when it is asked for."""

from typing import TYPE_CHECKING, Any

from rlld_gym.parsing.networks.base import (
    HOMES,
    ParsingOutput,
    TaskNetwork,
    find_network,
    make_network,
    network_names,
    register_network,
)
from rlld_gym.plugins import from_home

if TYPE_CHECKING:
    from rlld_gym.parsing.networks.ave import AVE
    from rlld_gym.parsing.networks.avsdn import AVSDN
    from rlld_gym.parsing.networks.checkpoints import checkpoint_systems, load_public_checkpoint
    from rlld_gym.parsing.networks.cmpae import CMPAE
    from rlld_gym.parsing.networks.cpsp import CPSP
    from rlld_gym.parsing.networks.cvcms import CVCMS
    from rlld_gym.parsing.networks.dhhn import DHHN
    from rlld_gym.parsing.networks.han import HAN, AttentivePooling, HANLayer
    from rlld_gym.parsing.networks.lsld import LSLD
    from rlld_gym.parsing.networks.mgn import MGN
    from rlld_gym.parsing.networks.mm_cse import MMCSE
    from rlld_gym.parsing.networks.mm_pyramid import MMPyramid
    from rlld_gym.parsing.networks.parts.stem import HANStem
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

_PARTS = {name: f"{__name__}.han:{name}" for name in ("AttentivePooling", "HANLayer")} | {
    "HANStem": f"{__name__}.parts.stem:HANStem"
}
_LOADING = {
    name: f"{__name__}.checkpoints:{name}" for name in ("checkpoint_systems", "load_public_checkpoint")
}
_ELSEWHERE = {home.partition(":")[2]: home for home in HOMES.values()} | _PARTS | _LOADING


def __getattr__(name: str) -> Any:
    """Import a network, a part of HAN or the loader of checkpoints on first use."""
    if name in _ELSEWHERE:
        return from_home(_ELSEWHERE[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet: for tab completion."""
    return sorted({*globals(), *__all__})
