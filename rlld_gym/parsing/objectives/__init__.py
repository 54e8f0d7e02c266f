"""Training objectives: what a system trains its network towards, by name; each is imported when it is asked for."""

from typing import TYPE_CHECKING, Any

from rlld_gym.parsing.objectives.base import (
    HOMES,
    Batch,
    Objective,
    StepContext,
    make_objective,
    objective_name,
    objective_names,
    register_objective,
)
from rlld_gym.plugins import from_home

if TYPE_CHECKING:
    from rlld_gym.parsing.objectives.cmpae import CMPAEObjective
    from rlld_gym.parsing.objectives.cpsp import CPSPObjective
    from rlld_gym.parsing.objectives.cvcms import CVCMSObjective
    from rlld_gym.parsing.objectives.dhhn import DHHNObjective
    from rlld_gym.parsing.objectives.lsld import LSLDObjective
    from rlld_gym.parsing.objectives.mgn import MGNObjective
    from rlld_gym.parsing.objectives.mm_cse import MMCSEObjective
    from rlld_gym.parsing.objectives.poisson_binomial import PoissonBinomialObjective
    from rlld_gym.parsing.objectives.pooled import PooledObjective
    from rlld_gym.parsing.objectives.segment_pseudo_labels import SegmentPseudoLabelObjective
    from rlld_gym.parsing.objectives.valor import VALORObjective

__all__ = [
    "Batch",
    "CMPAEObjective",
    "CPSPObjective",
    "CVCMSObjective",
    "DHHNObjective",
    "LSLDObjective",
    "MGNObjective",
    "MMCSEObjective",
    "Objective",
    "PoissonBinomialObjective",
    "PooledObjective",
    "SegmentPseudoLabelObjective",
    "StepContext",
    "VALORObjective",
    "make_objective",
    "objective_name",
    "objective_names",
    "register_objective",
]

_ELSEWHERE = {home.partition(":")[2]: home for home in HOMES.values()}


def __getattr__(name: str) -> Any:
    """Import an objective on first use."""
    if name in _ELSEWHERE:
        return from_home(_ELSEWHERE[name])
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names, also those that are not imported yet: for tab completion."""
    return sorted({*globals(), *__all__})
