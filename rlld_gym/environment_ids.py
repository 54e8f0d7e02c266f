"""Names under which the environments are registered; they import the package that registers them."""

from typing import Final

LABEL_DENOISING: Final = "rlld_gym:rlld/LabelDenoising-v0"
"""The environment that agents, methods and studies make."""

LABEL_DENOISING_RATES: Final = "rlld_gym:rlld/LabelDenoisingRates-v0"
"""The same process with one decision per episode."""
