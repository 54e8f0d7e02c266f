"""Training objectives: what a system trains its network towards, by name."""

from rlld_gym.parsing.objectives.base import (
    Batch,
    Objective,
    StepContext,
    make_objective,
    objective_name,
    objective_names,
    register_objective,
)
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
