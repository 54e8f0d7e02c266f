"""The parser that episodes start from: trained once on the weak labels, kept in memory and in a cache file.

After the few steps of an episode a new network cannot tell good labels from plausible ones; one that has seen the
weak labels can. Training it takes seconds, so it is done once for a data set, recipe and width.
"""

import dataclasses
import hashlib
import inspect
import json
import logging
import os
import warnings
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import platformdirs
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.os_errors import one_line
from rlld_gym.parsing.networks import TaskNetwork
from rlld_gym.parsing.recipes import Recipe
from rlld_gym.parsing.training import feature_sizes, make_task_network, train_parser
from rlld_gym.progress import ProgressBar
from rlld_gym.tensor_files import write_tensors
from rlld_gym.torch_settings import own_torch_settings
from rlld_gym.turns import in_turn

CACHE_VARIABLE: Final = "RLLD_CACHE"
"""Environment variable: the folder of cache files, instead of the platform's own."""

START_SEED: Final = 241219563
"""Seed of a starting parser: of no other parser, and the same whatever the seed of an environment."""

FORMAT: Final = 1
"""Raised when starting parsers are trained in another way: older cache files are not used any more."""

_WITHOUT_EFFECT: Final = {
    "name": "start",
    "online_learning_rate": None,
    "gate": "global",
    "selection": "event_audio",
}
"""Fields of a recipe on which a parser that keeps its last epoch does not depend."""

_logger = logging.getLogger(__name__)


class _Kind(NamedTuple):
    """What a starting parser depends on, apart from the data."""

    recipe: Recipe
    hidden_size: int


_parsers: WeakKeyDictionary[SplitTensors, dict[_Kind, TaskNetwork]] = WeakKeyDictionary()
_checksums: WeakKeyDictionary[SplitTensors, str] = WeakKeyDictionary()


@in_turn()
def starting_parser(
    data: StoreTensors, recipe: Recipe, hidden_size: int, epochs: int | None = None
) -> TaskNetwork:
    """Return a parser that was trained on the weak labels of the training videos, without a look at dense ones.

    It is trained when it is asked for the first time, with a progress bar where that takes longer than a second;
    later it comes from memory or, in another process, from a file in the folder that the environment variable
    ``RLLD_CACHE`` names (default: the platform's folder for caches). It depends on the arguments only, up to the
    rounding of the device that it was trained on.

    Args:
        data: the data set on the device where the parser is to be.
        recipe: of the task network; its schedule is shrunk to the epochs.
        hidden_size: width of the network.
        epochs: passes over the training videos; None: half of the recipe's, at least one.

    Returns:
        The network in evaluation mode, shared by all that ask for it: copy it before training it.
    """
    length = max(1, recipe.epochs // 2) if epochs is None else epochs
    kind = _Kind(recipe.shortened(length).replace(**_WITHOUT_EFFECT), hidden_size)
    known = _parsers.setdefault(data["train"], {})
    if kind not in known:
        known[kind] = _stored_or_trained(data, kind)
    return known[kind]


@own_torch_settings()
def _stored_or_trained(data: StoreTensors, kind: _Kind) -> TaskNetwork:
    network = make_task_network(
        kind.recipe,
        **feature_sizes(data["train"]),
        hidden_size=kind.hidden_size,
        seed=START_SEED,
        device=data.device,
    )
    path = _cache_folder() / "starting-parsers" / f"{_key(data, network, kind)}.safetensors"
    weights = _load(path, network)
    if weights is None:
        damaged = path.exists()
        _train(data, network, kind)
        # Where another process was faster, its parser is taken, so that all have the same.
        weights = None if damaged else _load(path, network)
        if weights is None:
            _store(path, network)
    if weights is not None:
        network.load_state_dict(weights)
    return network.eval()


def _train(data: StoreTensors, network: TaskNetwork, kind: _Kind) -> None:
    """Train a network in place on the weak labels."""
    labels = data["train"].labels
    _logger.info("training the starting parser: %d epochs on weak labels", kind.recipe.epochs)
    with ProgressBar(
        kind.recipe.epochs, "epoch", "starting parser (once)", delay=1.0, leave=False, lines=False
    ) as bar:
        train_parser(
            data,
            labels,
            labels,
            kind.recipe,
            hidden_size=kind.hidden_size,
            seed=START_SEED,
            network=network,
            keep="last",
            progress=lambda done, _: bar.update_to(done),
        )


def _cache_folder() -> Path:
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_cache_dir("rlld-gym", appauthor=False))


def _load(path: Path, network: TaskNetwork) -> dict[str, Tensor] | None:
    """Return the weights that a cache file has for a network; None where there is no usable one."""
    try:
        weights = load_file(path)
        _check_shapes(weights, network)
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError) as error:
        _logger.warning("%s cannot be used and is made anew (%s)", path, one_line(error))
        return None
    return weights


def _check_shapes(weights: dict[str, Tensor], network: TaskNetwork) -> None:
    """Raise ValueError unless weights have the names and shapes of a network's."""
    found, expected = (
        {name: tuple(value.shape) for name, value in tensors.items()}
        for tensors in (weights, network.state_dict())
    )
    if found != expected:
        raise ValueError("weights of another network")


def _store(path: Path, network: TaskNetwork) -> None:
    """Write the weights of a network; a folder that cannot be written to is no more than a warning."""
    try:
        write_tensors(path, {name: value.cpu().contiguous() for name, value in network.state_dict().items()})
    except OSError as error:
        warnings.warn(
            f"the starting parser could not be kept in {path.parent} ({error.strerror or error}): it will be "
            f"trained again by the next process; set {CACHE_VARIABLE} to a folder that can be written to",
            RuntimeWarning,
            stacklevel=2,
        )


def _key(data: StoreTensors, network: TaskNetwork, kind: _Kind) -> str:
    """Return what identifies a starting parser in the cache: a change of anything it depends on changes it."""
    parts = {
        "format": FORMAT,
        "seed": START_SEED,
        "data": _checksum(data["train"]),
        "device": data.device.type,
        "hidden_size": kind.hidden_size,
        "recipe": dataclasses.asdict(kind.recipe),
        "network": _code_of(network),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _code_of(network: TaskNetwork) -> str:
    """Return a checksum of the source of a network's class, which users may be writing right now."""
    try:
        source = inspect.getsource(type(network))
    except (OSError, TypeError):
        source = type(network).__qualname__
    return hashlib.sha256(source.encode()).hexdigest()


@in_turn()
def _checksum(split: SplitTensors) -> str:
    """Return a checksum of the videos' features and weak labels, computed once."""
    if split not in _checksums:
        digest = hashlib.sha256(str(split.visual_2d_size).encode())
        for tensor in (split.audio, split.visual, split.labels):
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            for rows in torch.split(torch.arange(len(tensor), device=tensor.device), 1024):
                digest.update(tensor.index_select(0, rows).detach().cpu().numpy().tobytes())
        _checksums[split] = digest.hexdigest()
    return _checksums[split]
