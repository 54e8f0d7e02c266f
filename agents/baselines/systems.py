"""Published parsers of the table "systems": what they are called, how wide they are, what is published."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class System:
    """A parser of the table "systems".

    Attributes:
        label: what tables call it.
        wide: width as published.
        narrow: width on narrow data; below 64 where the system is slow on a CPU.
        published: rows of the literature that answer to it, by label set, see `rlld_agents.reports.published`.
    """

    label: str
    wide: int = 512
    narrow: int = 64
    published: Mapping[str, str] = field(default_factory=dict)

    def width(self, recommended: int) -> int:
        """Return the width on data for which HAN is to be ``recommended`` wide."""
        return self.wide if recommended >= 512 else max(8, self.narrow * recommended // 64)


def _published(name: str) -> dict[str, str]:
    return {"weak": name}


def _with_rlld(name: str) -> dict[str, str]:
    """Return the published row that answers to both ways of learning labels from rewards."""
    return {"rlld": name, "joint": name}


SYSTEMS: Final[Mapping[str, System]] = {
    "ave": System("AVE", 256, published=_published("AVE")),
    "avsdn": System("AVSDN", 256, published=_published("AVSDN")),
    "han": System("HAN", published=_published("HAN") | {"jomold+cl": "JoMoLD + CL"} | _with_rlld("RLLD")),
    "mm_pyramid": System("MM-Pyramid", narrow=16, published=_published("MM-Pyramid")),
    "mgn": System("MGN", 128, narrow=16, published=_published("MGN")),
    "cvcms": System("CVCMS", narrow=32, published=_published("CVCMS")),
    "dhhn": System("DHHN", narrow=32, published=_published("DHHN")),
    "cpsp": System("CPSP", published=_published("CPSP") | _with_rlld("CPSP + RLLD")),
    "cmpae": System("CMPAE"),
    "lsld": System("LSLD", narrow=32),
    "mm_cse": System("MM-CSE", 256, narrow=16),
    "valor": System("VALOR", published=_published("VALOR")),
    "valor-rlld": System("VALOR as in RLLD", published=_with_rlld("VALOR + RLLD")),
    "valor_plus": System("VALOR+", 256, narrow=32),
}
"""By name of the recipe, in the order of the table. VALOR++ is VALOR+ on features of its own, and the same system
on any other data, so it has no row."""
