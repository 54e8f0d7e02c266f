"""Checkpoints of Stable-Baselines3 models that are small and that nothing is unpickled from.

The library's own ``model.save`` pickles spaces and the last observation, tens of megabytes at LLP's sizes for a policy
of less than one. The file written here is a zip archive of JSON, safetensors, compressed numpy arrays and a
``torch.save`` of the optimizer, which is read with ``weights_only=True``.
"""

import inspect
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import stable_baselines3
import torch
from gymnasium import spaces
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import (
    ConstantSchedule,
    FloatSchedule,
    check_for_correct_spaces,
)
from stable_baselines3.common.vec_env import VecEnv

from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path

FORMAT = "rlld-sb3-model"
VERSION = 1
COUNTERS = ("num_timesteps", "_n_updates", "_episode_num", "_total_timesteps", "_current_progress_remaining")
NOT_STORED = ("self", "policy", "env", "device", "_init_setup_model", "policy_kwargs", "verbose")


def save(model: BaseAlgorithm, path: str | os.PathLike[str]) -> None:
    """Write a model: weights, optimizer, hyper-parameters, counters and spaces; atomically.

    Args:
        model: PPO, A2C, TRPO or MaskablePPO with a policy of this package.
        path: the file; ".zip" is customary.

    Raises:
        ValueError: another algorithm or policy, or an option that is no plain value, such as a learning rate that
            is a function; ``model.save`` of the library keeps those.
    """
    algorithm, policy = type(model).__name__, type(model.policy).__name__
    if algorithm not in _algorithms() or policy not in _policies():
        raise ValueError(
            f"cannot store a {algorithm} with {policy}; expected one of {', '.join(_algorithms())} with one of "
            f"{', '.join(_policies())}"
        )
    description = {
        "format": FORMAT,
        "version": VERSION,
        "algorithm": algorithm,
        "policy": policy,
        "options": _options(model),
        "policy_kwargs": _plain("policy_kwargs", model.policy_kwargs),
        "counters": {name: getattr(model, name) for name in COUNTERS if hasattr(model, name)},
        "n_envs": model.n_envs,
        "stable_baselines3": stable_baselines3.__version__,
    }
    observation_space, bounds = _described_space(model.observation_space)
    assert isinstance(model.action_space, spaces.MultiBinary)
    description |= {
        "observation_space": observation_space,
        "num_bits": int(np.prod(model.action_space.shape)),
    }
    optimizer = io.BytesIO()
    torch.save(model.policy.optimizer.state_dict(), optimizer)
    arrays = io.BytesIO()
    np.savez_compressed(arrays, allow_pickle=False, **bounds)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.policy.state_dict().items()}
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.json", json.dumps(description, indent=2))
        archive.writestr("bounds.npz", arrays.getvalue())
        archive.writestr("policy.safetensors", save_tensors(weights))
        archive.writestr("optimizer.pt", optimizer.getvalue())


def load(
    path: str | os.PathLike[str], env: VecEnv | None = None, device: str | torch.device = "auto"
) -> BaseAlgorithm:
    """Read a model that `save` wrote, to predict with it or to train it further.

    Args:
        path: the file.
        env: environment to go on training in; spaces must be those that the model was trained with, the number of
            environments may differ. None: for prediction; ``model.set_env`` can come later.
        device: where to put the model.

    Returns:
        The model. ``model.learn(..., reset_num_timesteps=False)`` goes on counting.

    Raises:
        InputError: the file is missing, damaged, of a newer version, or no model of this kind.
        ValueError: the environment's spaces are others.
    """
    path = Path(path)
    description, bounds, weights, optimizer = _read(path)
    algorithm = _algorithms().get(description["algorithm"])
    policy = _policies().get(description["policy"])
    if algorithm is None or policy is None:
        raise InputError(
            f"{path}: a {description['algorithm']} with {description['policy']}, which cannot be made here; "
            'install sb3-contrib: pip install "rlld-gym[sb3]"'
        )
    observation_space = _space(description["observation_space"], bounds)
    action_space = spaces.MultiBinary(description["num_bits"])
    if env is not None:
        check_for_correct_spaces(env, observation_space, action_space)
    model: BaseAlgorithm = algorithm(
        policy,
        env,
        device=device,
        policy_kwargs=description["policy_kwargs"],
        **description["options"],
        _init_setup_model=False,
    )
    model.observation_space, model.action_space = observation_space, action_space
    model.n_envs = description["n_envs"] if env is None else env.num_envs
    try:
        model._setup_model()
        model.policy.load_state_dict(weights)
        model.policy.optimizer.load_state_dict(optimizer)
    except (RuntimeError, ValueError, KeyError) as error:
        detail = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: weights and options do not agree ({detail}); the file is damaged"
        ) from error
    for name, value in description["counters"].items():
        setattr(model, name, value)
    return model


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any], dict[str, torch.Tensor], dict[str, Any]]:
    """Return the description, the bounds of the spaces, the weights and the optimizer's state in a file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a model that rlld_agents.sb3.save wrote")
    try:
        with zipfile.ZipFile(path) as archive:
            if "model.json" not in archive.namelist():
                raise InputError(
                    f"{path}: a zip file, but not from rlld_agents.sb3.save; models of the library's own save are "
                    "read with its load"
                )
            description = json.loads(archive.read("model.json"))
            if description.get("format") != FORMAT or description.get("version") != VERSION:
                raise InputError(
                    f"{path}: format {description.get('format')} version {description.get('version')}, this "
                    f"program reads {FORMAT} version {VERSION}; upgrade"
                )
            with np.load(io.BytesIO(archive.read("bounds.npz")), allow_pickle=False) as arrays:
                bounds = dict(arrays)
            weights = load_tensors(archive.read("policy.safetensors"))
            optimizer = torch.load(io.BytesIO(archive.read("optimizer.pt")), "cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged archive makes its readers raise
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not a readable model file ({detail}); it may be truncated") from error
    return description, bounds, weights, optimizer


def _options(model: BaseAlgorithm) -> dict[str, Any]:
    """Return the constructor's arguments as plain values."""
    names = [name for name in inspect.signature(type(model).__init__).parameters if name not in NOT_STORED]
    return {name: _plain(name, getattr(model, name)) for name in names if hasattr(model, name)}


def _plain(name: str, value: Any) -> Any:
    """Return a value that JSON can hold, with schedules of a constant as numbers."""
    if isinstance(value, FloatSchedule):
        value = value.value_schedule
    if isinstance(value, ConstantSchedule):
        value = value.val
    if isinstance(value, dict):
        return {key: _plain(f"{name}[{key!r}]", item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"cannot store {name}={value!r}: it is no plain value; use the library's model.save")


def _described_space(space: spaces.Space[Any]) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Return what a Dict of boxes is made of, as plain values, and the bounds as arrays."""
    assert isinstance(space, spaces.Dict)
    description, bounds = {}, {}
    for key, box in space.items():
        assert isinstance(box, spaces.Box)
        description[key] = {"shape": list(box.shape), "dtype": box.dtype.name}
        bounds[f"{key}.low"], bounds[f"{key}.high"] = box.low, box.high
    return description, bounds


def _space(description: dict[str, Any], bounds: dict[str, Any]) -> spaces.Dict:
    """Return the space that `_described_space` described."""
    return spaces.Dict(
        {
            key: spaces.Box(bounds[f"{key}.low"], bounds[f"{key}.high"], dtype=np.dtype(entry["dtype"]).type)
            for key, entry in description.items()
        }
    )


def _algorithms() -> dict[str, Any]:
    """Return the algorithms by name, those of sb3-contrib only where it is installed."""
    known: dict[str, Any] = {"PPO": stable_baselines3.PPO, "A2C": stable_baselines3.A2C}
    try:
        import sb3_contrib  # noqa: PLC0415
    except ImportError:
        return known
    return known | {"TRPO": sb3_contrib.TRPO, "MaskablePPO": sb3_contrib.MaskablePPO}


def _policies() -> dict[str, Any]:
    """Return the policies by name."""
    from .policy import HybridAttentionActorCriticPolicy  # noqa: PLC0415

    known: dict[str, Any] = {"HybridAttentionActorCriticPolicy": HybridAttentionActorCriticPolicy}
    try:
        from .maskable import HybridAttentionMaskableActorCriticPolicy  # noqa: PLC0415
    except ImportError:
        return known
    return known | {"HybridAttentionMaskableActorCriticPolicy": HybridAttentionMaskableActorCriticPolicy}
