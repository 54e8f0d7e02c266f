"""Weights that the public code of published systems wrote: one layout a system, one loader."""

from rlld_gym.parsing.networks.checkpoints import (  # noqa: F401 (they register layouts)
    cmpae,
    cpsp,
    cvcms,
    dhhn,
    han,
    lsld,
    mgn,
    mm_cse,
    mm_pyramid,
    valor,
)
from rlld_gym.parsing.networks.checkpoints.layout import (
    PublicLayout,
    Shapes,
    checkpoint_systems,
    load_public_checkpoint,
    register_layout,
)

__all__ = ["PublicLayout", "Shapes", "checkpoint_systems", "load_public_checkpoint", "register_layout"]
