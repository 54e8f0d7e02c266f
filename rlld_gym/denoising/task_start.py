"""Where the task network of an episode starts: pretrained, fresh, or from a file."""

import inspect
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

from rlld_gym.data.fingerprint import warn_of_other_data
from rlld_gym.data.tensors import SplitTensors, StoreTensors
from rlld_gym.denoising.config import ProcessConfig
from rlld_gym.denoising.starting_parser import starting_parser
from rlld_gym.errors import InputError
from rlld_gym.parsing.networks import TaskNetwork, find_network
from rlld_gym.parsing.task_file import load_task_network, read_info
from rlld_gym.parsing.training import feature_sizes, make_task_network, network_options
from rlld_gym.tensor_files import read_shapes
from rlld_gym.turns import in_turn

PRETRAINED: Final = "pretrained"
FRESH: Final = "fresh"

_files: WeakKeyDictionary[SplitTensors, dict[Any, TaskNetwork]] = WeakKeyDictionary()


def start_network(data: StoreTensors, config: ProcessConfig) -> TaskNetwork | None:
    """Return the network that every episode's task network is a copy of; None where it is new each time.

    It is made or read when it is first asked for, and shared in the process: copy it before training it.

    Raises:
        InputError: the file is no task network of these sizes.
    """
    if config.task_start == FRESH:
        return None
    if config.task_start == PRETRAINED:
        return starting_parser(data, config.recipe, config.hidden_size, config.task_start_epochs)
    return _network_of_file(data, config)


def check_start(
    config: ProcessConfig, sizes: Mapping[str, object], classes: Sequence[str] | None = None
) -> None:
    """Check, without reading weights, that the file that ``task_start`` names can be used.

    Args:
        config: the options.
        sizes: of the data set, by the names of a network's arguments.
        classes: of the data set; None: not known, not compared.

    Raises:
        InputError: there is no such file, or its network has another architecture, other sizes or other classes.
    """
    if config.task_start in (FRESH, PRETRAINED):
        return
    path = config.task_start
    if not Path(path).exists():
        raise InputError(
            f"task_start is {path!r}, and there is no such file; expected {PRETRAINED!r}, {FRESH!r} or the path of "
            "a task.safetensors that 'rlld train' or 'rlld train-parser' wrote"
        )
    info = read_info(path)
    expected = {"network": config.recipe.network, **sizes, "hidden_size": config.hidden_size}
    found = {"network": info.network, **info.sizes}
    different = [name for name, value in expected.items() if found.get(name) != value]
    if different:
        text = "; ".join(f"{name} {found.get(name)!r}, here {expected[name]!r}" for name in different)
        raise InputError(
            f"task_start {path}: a network of other sizes ({text}); use the data set that it was trained on, and "
            "its task_network and hidden_size"
        )
    options, here = _options(info.network, info.sizes), _options(info.network, network_options(config.recipe))
    others = {
        name: value for name, value in options.items() if name not in expected and value != here.get(name)
    }
    # Heads change what is computed and no shape.
    if any(name.endswith("heads") for name in others) or (
        others and read_shapes(path) != _shapes(config, sizes)
    ):
        text = "; ".join(f"{name} {value!r}, here {here.get(name)!r}" for name, value in others.items())
        raise InputError(
            f"task_start {path}: a {info.network} of other options ({text}); use the recipe that it was trained "
            "with"
        )
    if info.data is not None and classes is not None and (found_there := info.data.class_difference(classes)):
        raise InputError(
            f"task_start {path}: a network of {info.data.described} for other classes: {found_there}; use data "
            "with its classes in its order"
        )


def _options(network: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a network's constructor, those that are not given by default, as JSON has them."""
    parameters = inspect.signature(find_network(network)).parameters.values()
    defaults = {one.name: one.default for one in parameters if one.default is not one.empty}
    options: dict[str, Any] = json.loads(json.dumps({**defaults, **given}, default=str))
    return options


def _shapes(config: ProcessConfig, sizes: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of the recipe's network."""
    network = make_task_network(config.recipe, **sizes, hidden_size=config.hidden_size, seed=0)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def start_fingerprint(config: ProcessConfig) -> str:
    """Return what of ``task_start`` a stored state depends on: a file's content, not where it lies."""
    if config.task_start in (FRESH, PRETRAINED):
        return config.task_start
    return f"weights {zlib.crc32(Path(config.task_start).read_bytes()):08x}"


@in_turn()
def _network_of_file(data: StoreTensors, config: ProcessConfig) -> TaskNetwork:
    """Return the recipe's network with the weights of a file."""
    status = Path(config.task_start).stat()
    key = (config.task_start, status.st_mtime_ns, status.st_size, config.recipe)
    known = _files.setdefault(data["train"], {})
    if key not in known:
        sizes = feature_sizes(data["train"])
        check_start(config, sizes, None if data.fingerprint is None else data.fingerprint.classes)
        network = make_task_network(
            config.recipe, **sizes, hidden_size=config.hidden_size, seed=0, device=data.device
        )
        there, info = load_task_network(config.task_start)
        if data.fingerprint is not None:
            what = f"task_start {config.task_start}: the task network"
            warn_of_other_data(info.data, data.fingerprint, what)
        network.load_state_dict(there.state_dict())
        known[key] = network.eval()
    return known[key]
