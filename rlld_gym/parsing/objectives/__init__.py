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
from rlld_gym.parsing.objectives.pooled import PooledObjective

__all__ = [
    "Batch",
    "Objective",
    "PooledObjective",
    "StepContext",
    "make_objective",
    "objective_name",
    "objective_names",
    "register_objective",
]
