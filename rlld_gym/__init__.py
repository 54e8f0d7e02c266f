"""Gymnasium environments for audio-visual label denoising; importing the package registers them.

Importing this package does not import torch: entry points are strings that Gymnasium resolves on the first
``gym.make``.
"""

from importlib.metadata import version

import gymnasium

__version__ = version("rlld-gym")

# The environments say themselves that a reset is needed, and what is wrong with an action; after set_state() none
# is, which neither of Gymnasium's wrappers can know: its checker fails in a step without one.
gymnasium.register(
    id="rlld/LabelDenoising-v0",
    entry_point="rlld_gym.envs.label_denoising:LabelDenoisingEnv",
    order_enforce=False,
    disable_env_checker=True,
)
# An id of its own: as vector entry point of the one above it would be the default of make_vec, with which usual
# batches train more slowly on a CPU than copies that take turns, and wrappers would be refused.
gymnasium.register(
    id="rlld/LabelDenoisingStacked-v0",
    entry_point="rlld_gym.envs.vector_only:label_denoising_stacked",
    vector_entry_point="rlld_gym.envs.stacked:StackedVectorEnv",
)
gymnasium.register(
    id="rlld/LabelDenoisingPerVideo-v0",
    entry_point="rlld_gym.envs.vector_only:label_denoising_per_video",
    vector_entry_point="rlld_gym.envs.per_video:PerVideoVectorEnv",
)
gymnasium.register(
    id="rlld/LabelDenoisingRates-v0",
    entry_point="rlld_gym.envs.rates:LabelDenoisingRatesEnv",
    order_enforce=False,
    disable_env_checker=True,
)
gymnasium.register(
    id="rlld/LabelDenoisingRatesStacked-v0",
    entry_point="rlld_gym.envs.vector_only:label_denoising_rates_stacked",
    vector_entry_point="rlld_gym.envs.stacked_rates:StackedRatesVectorEnv",
)
gymnasium.register(
    id="rlld/PlantedNoise-v0",
    entry_point="rlld_gym.envs.planted_noise:PlantedNoiseEnv",
    order_enforce=False,
    disable_env_checker=True,
)
gymnasium.register(
    id="rlld/PlantedNoisePerVideo-v0",
    entry_point="rlld_gym.envs.vector_only:planted_noise_per_video",
    vector_entry_point="rlld_gym.envs.planted_noise:PlantedNoisePerVideoEnv",
)
