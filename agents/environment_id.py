"""The environment that agents, methods and comparisons make."""

from typing import Final

ENVIRONMENT_ID: Final = "rlld_gym:rlld/LabelDenoising-v0"
"""Also imports the package that registers it."""
