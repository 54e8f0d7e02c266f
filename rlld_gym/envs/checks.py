"""Checks of what comes from outside: actions, stored states and data sets."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from rlld_gym.data.catalog import open_data
from rlld_gym.data.classes import CLASSES, NUM_SEGMENTS, SPLITS
from rlld_gym.data.store.header import StoreHeader
from rlld_gym.data.twins.scales import twin_scale
from rlld_gym.data.twins.variants import TWIN_NAMES, twin_parts
from rlld_gym.errors import InputError


def checked_action(action: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return an action as bool.

    Args:
        action: array of bool, integers or floats, all 0 or 1.
        shape: the shape it must have.

    Raises:
        ValueError: another shape, another type, or a value other than 0 and 1.
    """
    array = np.asarray(action)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"action has dtype {array.dtype}; expected bool, integers or floats that are 0 or 1")
    if array.shape != shape:
        raise ValueError(
            f"action has shape {array.shape}; expected {shape}: videos, modalities (audio, visual), classes"
        )
    wrong = (array != 0) & (array != 1)
    if wrong.any():
        raise ValueError(
            f"action contains {array[wrong][0]}; expected only 0 (keep) and 1 (remove the label)"
        )
    return array.astype(np.bool_)


def checked_autoreset_mode(mode: AutoresetMode | str) -> AutoresetMode:
    """Return the autoreset mode that is meant.

    Raises:
        InputError: there is no such mode.
    """
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        known = ", ".join(member.value for member in AutoresetMode)
        raise InputError(f"autoreset_mode is {mode!r}; expected one of {known}") from error


def process_state(state: Any) -> dict[str, Any]:
    """Return the decision process's part of a state that the environment's ``get_state`` returned.

    Raises:
        InputError: it is no such state.
    """
    if not isinstance(state, dict) or state.get("format") != 1 or "config" not in state.get("process", {}):
        raise InputError("the state was not made by get_state() of this version of the environment")
    process: dict[str, Any] = state["process"]
    return process


def data_header(data: str, seed: int) -> StoreHeader:
    """Return what is known of a data set without reading its features or generating a twin.

    Args:
        data: a twin's name, or the path of a store file.
        seed: seed of a twin; ignored for a file.

    Raises:
        InputError: neither a twin's name nor a usable store file.
    """
    if data not in TWIN_NAMES:
        return open_data(data, seed).header
    scale = twin_scale(twin_parts(data)[0])
    return StoreHeader(
        name=data,
        classes=CLASSES,
        counts=dict(zip(SPLITS, scale.videos, strict=True)),
        dtype="float16",
        audio_size=scale.audio_size,
        visual_2d_size=scale.visual_2d_size,
        visual_3d_size=scale.visual_3d_size,
        num_segments=NUM_SEGMENTS,
        attributes={"hidden_size": scale.hidden_size, "recipe": scale.recipe},
    )
