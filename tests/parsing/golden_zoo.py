"""Golden numbers of the other public networks and their losses, and the weights and inputs behind them."""

import zlib
from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from torch import Tensor

from rlld_gym.parsing.networks import TaskNetwork, load_public_checkpoint
from tests.parsing.golden_networks import fill
from tests.shared_files import shared_path


@cache
def zoo_shapes(section: str) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a checkpoint layout, in its order."""
    sections: dict[str, dict[str, tuple[int, ...]]] = {}
    for line in shared_path("golden/checkpoint_keys_zoo.txt").read_text().splitlines():
        key, _, shape = line.strip().partition(" ")
        if shape:
            sections[list(sections)[-1]][key] = tuple(int(n) for n in shape.strip("()").split(",") if n)
        elif key:
            sections[key] = {}
    return sections[section]


def zoo_state(section: str) -> dict[str, Tensor]:
    """Return the generated public checkpoint of a network."""
    return {name: _weight(section, name, shape) for name, shape in zoo_shapes(section).items()}


def _weight(section: str, name: str, shape: tuple[int, ...]) -> Tensor:
    if section == "mm_pyramid":
        name = name.replace(".net.0.", ".conv1.").replace(".net.2.", ".conv2.")
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        return 1 + fill(shape, name, 0.1).abs()
    if len(shape) == 1:
        return fill(shape, name, 0.1) + (name.endswith(".weight") and not name.endswith("running_mean"))
    return fill(shape, name, (3 if section == "mm_cse" else 1.5) / np.sqrt(shape[1]))


def zoo_inputs(*names_and_shapes: tuple[str, tuple[int, ...]]) -> list[Tensor]:
    """Return generated inputs in float64."""
    return [fill(shape, f"golden/{name}", 1).double() for name, shape in names_and_shapes]


def standard_inputs() -> list[Tensor]:
    """Return audio (4, 10, 128), visual 2D (4, 80, 2048) and 3D features (4, 10, 512), float64."""
    return zoo_inputs(("audio", (4, 10, 128)), ("visual_2d", (4, 80, 2048)), ("visual_3d", (4, 10, 512)))


def clap_inputs() -> list[Tensor]:
    """Return CLAP maps (4, 64, 768), CLIP (4, 10, 768) and 3D features (4, 10, 512), float64."""
    return zoo_inputs(("clap_map", (4, 64, 768)), ("clip", (4, 10, 768)), ("visual_3d", (4, 10, 512)))


def golden_network(system: str, section: str | None = None, **options: object) -> TaskNetwork:
    """Return a network with the generated public weights, float64, in evaluation mode."""
    return load_public_checkpoint(system, zoo_state(section or system), **options).double()


@cache
def golden_zoo() -> Mapping[str, np.ndarray]:
    with np.load(shared_path("golden/golden_zoo.npz"), allow_pickle=False) as file:
        return dict(file)


def prob(shape: tuple[int, ...], key: str) -> Tensor:
    """Return generated probabilities; ``key`` without its "golden/"."""
    return 0.5 + fill(shape, f"golden/{key}", 0.45)


def labels(shape: tuple[int, ...], key: str, modulus: int = 12) -> Tensor:
    """Return generated labels, 0 and 1; ``key`` without its "golden/"."""

    index = np.arange(np.prod(shape))
    phase = zlib.crc32(f"golden/{key}".encode()) % 1000
    values = (phase + 7 * index + index * index % 13) % modulus == 0
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def assert_golden(actual: Tensor, key: str, tolerance: float = 5e-6) -> None:
    """Compare with a golden array, absolutely (the tolerance is that of float64 against values near 1)."""
    expected = torch.from_numpy(golden_zoo()[key]).double()
    torch.testing.assert_close(actual.double().detach(), expected, rtol=tolerance, atol=tolerance)


def assert_golden_loss(actual: Tensor, key: str) -> None:
    """Compare a loss or a gradient with a golden one, 1e-5 relative to its largest entry."""
    expected = torch.from_numpy(np.asarray(golden_zoo()[key])).double()
    scale = float(expected.abs().max())
    torch.testing.assert_close(actual.double().detach(), expected, rtol=1e-5, atol=1e-5 * scale)
