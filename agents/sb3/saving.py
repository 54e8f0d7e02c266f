"""Checkpoints of Stable-Baselines3 models: small, written atomically, read without unpickling code."""

import importlib
import inspect
import os
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.type_aliases import GymEnv
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from rlld_agents.runs.checkpoint import load_checkpoint, save_checkpoint
from rlld_agents.sb3.spaces_json import describe_space, space_from
from rlld_gym.data.fingerprint import DataFingerprint, require_same_meaning
from rlld_gym.devices import choose_device
from rlld_gym.errors import InputError
from rlld_gym.os_errors import one_line

KIND = "rlld-sb3-model"
ALGORITHMS = {
    "PPO": ("stable_baselines3", "HybridAttentionActorCriticPolicy"),
    "A2C": ("stable_baselines3", "HybridAttentionActorCriticPolicy"),
    "TRPO": ("sb3_contrib", "HybridAttentionActorCriticPolicy"),
    "SinglePassTRPO": ("rlld_agents.sb3", "HybridAttentionActorCriticPolicy"),
    "MaskablePPO": ("sb3_contrib", "HybridAttentionMaskableActorCriticPolicy"),
}
"""Algorithms that can be saved: their package and the policy they take."""

OPTIMIZERS = ("Adam", "AdamW", "RMSprop", "SGD")
"""Optimizers of ``torch.optim`` that can be saved."""

# Of the constructor's arguments: given anew, derived from the spaces, or not for our policies.
_NOT_SAVED = frozenset(
    ("policy", "env", "device", "use_sde", "sde_sample_freq", "rollout_buffer_class", "rollout_buffer_kwargs")
)
_COUNTERS = (
    "num_timesteps",
    "_total_timesteps",
    "_num_timesteps_at_start",
    "_episode_num",
    "_n_updates",
    "_current_progress_remaining",
)


def save(model: OnPolicyAlgorithm, path: str | os.PathLike[str]) -> None:
    """Write a model to one file, atomically: policy, optimizer, hyper-parameters, counters, last episodes.

    Unlike ``model.save()`` this leaves the last observation out, which is 14 MB for a batch at LLP's sizes, and
    stores spaces as a few numbers instead of up to 35 MB.

    Args:
        model: PPO, A2C, TRPO, SinglePassTRPO or MaskablePPO with this package's policies.
        path: the file; no suffix is added.

    Raises:
        TypeError: another algorithm, policy or optimizer, or a schedule other than a number, ``ConstantSchedule``
            or ``LinearSchedule``.
    """
    name = type(model).__name__
    if name not in ALGORITHMS or type(model) is not _algorithm(name):
        raise TypeError(f"cannot save a {name}; expected one of {', '.join(ALGORITHMS)}; use model.save()")
    if model.policy_class is not _policy(name):
        raise TypeError(
            f"cannot save a {name} with {model.policy_class.__name__}; expected {ALGORITHMS[name][1]}; "
            "use model.save()"
        )
    data = _data_of(model.get_env())
    save_checkpoint(
        path,
        {
            "kind": KIND,
            "algorithm": name,
            "arguments": {key: _described(key, value) for key, value in _arguments(model).items()},
            "observation_space": describe_space(model.observation_space),
            "action_space": describe_space(model.action_space),
            "n_envs": model.n_envs,
            "data": None if data is None else data.as_dict(),
            "counters": {key: getattr(model, key) for key in _COUNTERS},
            "episodes": []
            if model.ep_info_buffer is None
            else [dict(entry) for entry in model.ep_info_buffer],
            "policy": dict(model.policy.state_dict()),
            "optimizer": model.policy.optimizer.state_dict(),
        },
    )


def load(
    path: str | os.PathLike[str], env: GymEnv | None = None, device: torch.device | str = "auto"
) -> OnPolicyAlgorithm:
    """Read a model that `save` wrote.

    ``model.learn(steps, reset_num_timesteps=False)`` goes on with it. Where the model had a seed, the random
    numbers go on from the seed plus ``num_timesteps``, so that a resumed run is repeatable and does not repeat its
    first episodes.

    Args:
        path: the file.
        env: the environment to go on with; without one, the model predicts, and ``model.set_env`` takes one.
        device: where to put the policy.

    Raises:
        InputError: the file is missing, damaged or no such model, spaces or classes are not the environment's, or
            there is no such device.
    """
    path = Path(path)
    choose_device(str(device))
    _require_not_of_sb3(path)
    state = load_checkpoint(path)
    if state.get("kind") != KIND or state.get("algorithm") not in ALGORITHMS:
        raise InputError(
            f"{path}: no model of Stable-Baselines3; expected a file that rlld_agents.sb3.save wrote"
        )
    try:
        model = _blank_model(state, device)
        if env is not None:
            env = model._wrap_env(env, model.verbose)
            _check_spaces(path, model, env)
            _check_data(path, state.get("data"), env)
            model.n_envs = env.num_envs
            model.set_env(env)
        model._setup_model()
        model.policy.load_state_dict(state["policy"])
        model.policy.optimizer.load_state_dict(state["optimizer"])
        for key in _COUNTERS:
            setattr(model, key, state["counters"][key])
        model.ep_info_buffer = deque(state["episodes"], maxlen=model._stats_window_size)
        model.ep_success_buffer = deque(maxlen=model._stats_window_size)
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        detail = one_line(error)
        raise InputError(f"{path}: cannot be used ({detail}); the file is damaged") from error
    model.seed = state["arguments"]["seed"]
    if model.seed is not None:
        model.set_random_seed((model.seed + model.num_timesteps) % 2**32)
    return model


def _require_not_of_sb3(path: Path) -> None:
    """Raise InputError for a file of ``model.save()``, which unpickles."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        if "policy.pth" in archive.namelist():
            raise InputError(
                f"{path}: was written by model.save(); expected a file that rlld_agents.sb3.save wrote. The "
                "algorithm's own load reads it, and runs what is in it"
            )


def _blank_model(state: dict[str, Any], device: torch.device | str) -> OnPolicyAlgorithm:
    """Return a model with the saved hyper-parameters and spaces, not set up yet, and without a seed."""
    arguments = {key: _restored(value) for key, value in state["arguments"].items()}
    name = state["algorithm"]
    model: OnPolicyAlgorithm = _algorithm(name)(
        _policy(name), None, device=device, _init_setup_model=False, **{**arguments, "seed": None}
    )
    model.observation_space = space_from(state["observation_space"])
    model.action_space = space_from(state["action_space"])
    model.n_envs = state["n_envs"]
    return model


def _check_spaces(path: Path, model: OnPolicyAlgorithm, env: Any) -> None:
    for what in ("observation_space", "action_space"):
        saved, found = getattr(model, what), getattr(env, what)
        if saved != found:
            raise InputError(
                f"{path}: the model's {what} is {_short(saved)}, the environment's is {_short(found)}; make the "
                "environment with the arguments that the model was trained with"
            )


def _data_of(env: VecEnv | None) -> DataFingerprint | None:
    """Return what identifies the data set of environments; None: there are none, or none that say it."""
    if env is None or not env.has_attr("data_fingerprint"):
        return None
    found: DataFingerprint = env.get_attr("data_fingerprint", [0])[0]
    return found


def _check_data(path: Path, stored: Any, env: VecEnv) -> None:
    """Raise InputError where the model's numbers mean something else on an environment's data."""
    data = _data_of(env)
    if stored is not None and data is not None:
        require_same_meaning(DataFingerprint.from_dict(stored, str(path)), data, "the model", path)


def _short(space: Any) -> str:
    """Return a space's shapes; its bounds fill the screen."""
    parts = getattr(space, "spaces", None)
    if parts is None:
        return f"{type(space).__name__}{space.shape}"
    return "Dict(" + ", ".join(f"{key} {part.shape}" for key, part in parts.items()) + ")"


def _algorithm(name: str) -> Any:
    package = ALGORITHMS[name][0]
    try:
        return getattr(importlib.import_module(package), name)
    except ImportError as error:
        raise ImportError(f'{name} needs {package} ({error}): pip install "rlld-gym[sb3]"') from error


def _policy(name: str) -> Any:
    return getattr(importlib.import_module(__package__), ALGORITHMS[name][1])


def _arguments(model: OnPolicyAlgorithm) -> dict[str, Any]:
    """Return the constructor's arguments that a model still knows."""
    names = set(inspect.signature(type(model)).parameters) - _NOT_SAVED
    # A2C's use_rms_prop is not kept; the policy knows the optimizer.
    optimizer = {
        "optimizer_class": model.policy.optimizer_class,
        "optimizer_kwargs": model.policy.optimizer_kwargs,
    }
    known = {
        **vars(model),
        "stats_window_size": model._stats_window_size,
        "policy_kwargs": {**model.policy_kwargs, **optimizer},
    }
    return {name: known[name] for name in sorted(names) if name in known}


def _described(name: str, value: Any) -> Any:
    """Return an argument without objects: schedules and optimizers by name."""
    if isinstance(value, FloatSchedule):
        value = value.value_schedule
    if isinstance(value, ConstantSchedule):
        value = value.val
    if isinstance(value, LinearSchedule):
        return {"__linear__": [float(value.start), float(value.end), float(value.end_fraction)]}
    if isinstance(value, type) and value in [getattr(torch.optim, known) for known in OPTIMIZERS]:
        return {"__optimizer__": value.__name__}
    if isinstance(value, dict):
        return {key: _described(f"{name}[{key!r}]", entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | bool | int | float | str | np.generic) or value is None:
        return value
    raise TypeError(
        f"cannot save {name}={value!r}; expected numbers, strings, LinearSchedule, or an optimizer of torch.optim "
        f"({', '.join(OPTIMIZERS)})"
    )


def _restored(value: Any) -> Any:
    """Undo `_described`."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {"__linear__"}:
        return LinearSchedule(*value["__linear__"])
    if value.keys() == {"__optimizer__"} and value["__optimizer__"] in OPTIMIZERS:
        return getattr(torch.optim, value["__optimizer__"])
    return {key: _restored(entry) for key, entry in value.items()}
