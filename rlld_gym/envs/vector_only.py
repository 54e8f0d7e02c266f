"""What ``gymnasium.make`` says of environments that exist in vectorized form only."""

from typing import Any, NoReturn

from rlld_gym.errors import InputError


def label_denoising_stacked(**arguments: Any) -> NoReturn:
    """Refuse to make one environment where there are several; InputError."""
    _refuse("rlld/LabelDenoisingStacked-v0", "num_envs=4", "rlld/LabelDenoising-v0")


def label_denoising_per_video(**arguments: Any) -> NoReturn:
    """Refuse to make one environment where a video is one of many; InputError."""
    _refuse("rlld/LabelDenoisingPerVideo-v0", "num_envs=128", "rlld/LabelDenoising-v0")


def label_denoising_rates_stacked(**arguments: Any) -> NoReturn:
    """Refuse to make one environment where there are several; InputError."""
    _refuse("rlld/LabelDenoisingRatesStacked-v0", "num_envs=4", "rlld/LabelDenoisingRates-v0")


def planted_noise_per_video(**arguments: Any) -> NoReturn:
    """Refuse to make one environment where a video is one of many; InputError."""
    _refuse("rlld/PlantedNoisePerVideo-v0", "num_envs=4", "rlld/PlantedNoise-v0")


def _refuse(name: str, number: str, single: str) -> NoReturn:
    raise InputError(
        f"{name} is a vector environment: make it with gymnasium.make_vec('rlld_gym:{name}', {number}); "
        f"gymnasium.make takes 'rlld_gym:{single}'"
    )
