"""A trained task network as one safetensors file, with all that is needed to use it in its metadata."""

import json
import os
from dataclasses import asdict, dataclass
from typing import Any, cast, get_args

import torch

from rlld_gym.data.fingerprint import DataFingerprint, require_same_meaning
from rlld_gym.data.store.feature_store import FeatureStore
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import TaskNetwork, make_network
from rlld_gym.parsing.randomness import seeded_weights
from rlld_gym.parsing.recipes import Gate
from rlld_gym.parsing.thresholds import HALVES, Thresholds
from rlld_gym.tensor_files import DATA_KEY, TensorFormat, data_of
from rlld_gym.torch_settings import own_torch_settings

NAME = "task.safetensors"
"""What a task network's file is called in a run folder."""

FORMAT = TensorFormat("rlld-task-network", 1, "task network", NAME)


@dataclass(frozen=True)
class TaskNetworkInfo:
    """What a task network's file says about it.

    Attributes:
        network: its registered name.
        sizes: arguments of its constructor.
        gate: which pooled probability admits a class when it predicts.
        trained_on: data set, labels, recipe and seed, for people.
        thresholds: that its probabilities must reach.
        data: what identifies the data that it was trained on; None where the file does not say it.
    """

    network: str
    sizes: dict[str, Any]
    gate: Gate
    trained_on: dict[str, Any]
    thresholds: Thresholds = HALVES
    data: DataFingerprint | None = None


def save_task_network(path: str | os.PathLike[str], network: TaskNetwork, info: TaskNetworkInfo) -> None:
    """Write a task network to one safetensors file, atomically."""
    about = {
        "network": info.network,
        "sizes": info.sizes,
        "gate": info.gate,
        "trained_on": info.trained_on,
        "thresholds": asdict(info.thresholds),
        **({} if info.data is None else {DATA_KEY: info.data.as_dict()}),
    }
    FORMAT.write(path, network.state_dict(), about)


@own_torch_settings()
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
    info, tensors = read_info(path), FORMAT.read_tensors(path)
    try:
        with seeded_weights():  # they are overwritten
            network = make_network(info.network, **info.sizes)
        network.load_state_dict(tensors)
    except InputError as error:  # such as a network of a module that is not here
        raise InputError(f"{path}: {error}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise FORMAT.disagreement(path, error) from error
    return network.to(device), info


def read_info(path: str | os.PathLike[str]) -> TaskNetworkInfo:
    """Return what a task network's file says about it, without reading the weights.

    Raises:
        InputError: if the file is missing, damaged, of a newer version, or something else.
    """
    metadata = FORMAT.read_about(path)
    try:
        return TaskNetworkInfo(
            metadata["network"],
            json.loads(metadata["sizes"]),
            _gate(metadata["gate"]),
            json.loads(metadata["trained_on"]),
            Thresholds(**json.loads(metadata.get("thresholds", "{}"))),
            data_of(metadata, path),
        )
    except InputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FORMAT.disagreement(path, error) from error


def content_checksum(path: str | os.PathLike[str]) -> str:
    """Return what identifies a network's weights, whatever else its file says.

    Raises:
        InputError: as `read_info`.
    """
    return FORMAT.content_checksum(path)


def _gate(name: str) -> Gate:
    if name not in get_args(Gate):
        raise ValueError(f"gate {name!r}")
    return cast(Gate, name)


def check_fits(info: TaskNetworkInfo, store: FeatureStore, source: str | os.PathLike[str]) -> None:
    """Raise InputError unless a network was made for data of a store's sizes and classes.

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
    require_same_meaning(info.data, store.fingerprint, "task network", source)


def _sizes_text(sizes: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sizes.items())
