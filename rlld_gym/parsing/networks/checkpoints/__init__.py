"""Weights that the public code of published systems wrote: one layout a system, one loader."""

from rlld_gym.parsing.networks.checkpoints import cmpae, han, lsld, mm_cse  # noqa: F401 (register layouts)
from rlld_gym.parsing.networks.checkpoints.layout import (
    PublicLayout,
    Shapes,
    checkpoint_systems,
    load_public_checkpoint,
    register_layout,
)

__all__ = ["PublicLayout", "Shapes", "checkpoint_systems", "load_public_checkpoint", "register_layout"]
