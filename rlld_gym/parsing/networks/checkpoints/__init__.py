"""Weights that the public code of published systems wrote: one layout a system, one loader."""

from rlld_gym.parsing.networks.checkpoints import han  # noqa: F401 (registers a layout)
from rlld_gym.parsing.networks.checkpoints.layout import (
    PublicLayout,
    Shapes,
    checkpoint_systems,
    load_public_checkpoint,
    register_layout,
)

__all__ = ["PublicLayout", "Shapes", "checkpoint_systems", "load_public_checkpoint", "register_layout"]
