"""A trained task network as one safetensors file, with all that is needed to use it in its metadata."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path
from rlld_gym.parsing.networks import TaskNetwork, make_network
from rlld_gym.parsing.recipes import Gate
from rlld_gym.parsing.thresholds import HALVES, Thresholds

FORMAT = "rlld-task-network"
VERSION = 1
NAME = "task.safetensors"


@dataclass(frozen=True)
class TaskNetworkInfo:
    """What a task network's file says about it.

    Attributes:
        network: its registered name.
        sizes: arguments of its constructor.
        gate: which pooled probability admits a class when it predicts.
        trained_on: data set, labels, recipe and seed, for people.
        thresholds: that its probabilities must reach.
    """

    network: str
    sizes: dict[str, Any]
    gate: Gate
    trained_on: dict[str, Any]
    thresholds: Thresholds = HALVES


def save_task_network(path: str | os.PathLike[str], network: TaskNetwork, info: TaskNetworkInfo) -> None:
    """Write a task network to one safetensors file, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "network": info.network,
        "sizes": json.dumps(info.sizes),
        "gate": info.gate,
        "trained_on": json.dumps(info.trained_on),
        "thresholds": json.dumps(asdict(info.thresholds)),
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_task_network(
    path: str | os.PathLike[str], device: str | torch.device = "cpu"
) -> tuple[TaskNetwork, TaskNetworkInfo]:
    """Read a task network that `save_task_network` wrote.

    Args:
        path: the file.
        device: where to put the network.

    Returns:
        The network and what its file says about it.

    Raises:
        InputError: if the file is missing, damaged, of a newer version, or something else.
    """
    info = read_info(path)
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        with torch.random.fork_rng(devices=[]):
            network = make_network(info.network, **info.sizes)
        network.load_state_dict(tensors)
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise _disagreement(path, error) from error
    return network.to(device), info


def read_info(path: str | os.PathLike[str]) -> TaskNetworkInfo:
    """Return what a task network's file says about it, without reading the weights.

    Raises:
        InputError: if the file is missing, damaged, of a newer version, or something else.
    """
    metadata = read_metadata(path)
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path}: not a task network; expected a {NAME} that rlld train wrote")
    if metadata.get("version") != str(VERSION):
        raise InputError(
            f"{path}: task network format {metadata.get('version')}, this program reads {VERSION}; upgrade"
        )
    try:
        return TaskNetworkInfo(
            metadata["network"],
            json.loads(metadata["sizes"]),
            _gate(metadata["gate"]),
            json.loads(metadata["trained_on"]),
            Thresholds(**json.loads(metadata.get("thresholds", "{}"))),
        )
    except (KeyError, ValueError) as error:
        raise _disagreement(path, error) from error


def _disagreement(path: str | os.PathLike[str], error: Exception) -> InputError:
    detail = " ".join(str(error).split())[:200]
    return InputError(f"{path}: weights and sizes of the network do not agree ({detail}); file damaged")


def _gate(name: str) -> Gate:
    if name not in get_args(Gate):
        raise ValueError(f"gate {name!r}")
    return cast(Gate, name)


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return a safetensors file's metadata; InputError where it cannot be read."""
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; expected a file that rlld train wrote")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error}); it may be truncated") from error


def check_fits(info: TaskNetworkInfo, store: FeatureStore, source: str | os.PathLike[str]) -> None:
    """Raise InputError unless a network was made for data of a store's sizes.

    Args:
        info: what the network's file says.
        store: the data set.
        source: the network's file, for the message.
    """
    sizes = store.header.network_sizes
    found = {name: info.sizes.get(name) for name in sizes}
    if found != sizes:
        raise InputError(
            f"{source}: network for {_sizes_text(found)}, but {store.name} has {_sizes_text(sizes)}; "
            "use the data set it was trained on"
        )


def _sizes_text(sizes: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sizes.items())
