"""How a published system's checkpoint names its weights, and the one loader for all of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks.base import TaskNetwork, make_network
from rlld_gym.parsing.networks.checkpoints.reading import Checkpoint, listed, read_entries
from rlld_gym.parsing.randomness import seeded_weights


class Shapes:
    """The shapes of a checkpoint's entries, for reading a network's sizes from them.

    Args:
        entries: named tensors.
        source: what messages call the checkpoint.
    """

    def __init__(self, entries: Mapping[str, Tensor], source: str) -> None:
        self._entries = entries
        self._source = source

    def rows(self, key: str) -> int:
        """Return the number of rows of a matrix, such as a linear layer's outputs; InputError if it has none."""
        return int(self._matrix(key).shape[0])

    def columns(self, key: str) -> int:
        """Return the number of columns of a matrix, such as a linear layer's inputs; InputError if it has none."""
        return int(self._matrix(key).shape[1])

    def has(self, key: str) -> bool:
        """Return whether there is such an entry."""
        return key in self._entries

    def count(self, pattern: str) -> int:
        """Return how many different first groups a regular expression finds at the start of names."""
        return len({match[1] for key in self._entries if (match := re.match(pattern, key))})

    def _matrix(self, key: str) -> Tensor:
        if key not in self._entries:
            raise InputError(f"{self._source}: missing entries {key}: expected a whole checkpoint")
        if self._entries[key].ndim < 2:
            raise InputError(
                f"{self._source}: {key} has shape {tuple(self._entries[key].shape)}: expected a matrix"
            )
        return self._entries[key]


@dataclass(frozen=True)
class PublicLayout:
    """How a system's public checkpoint names the weights of our network.

    Attributes:
        names: pairs of a regular expression and its replacement, all applied in turn (``re.sub``) to each name of
            our state dictionary; the result is the public name. Anchor those that are to match a beginning. A name
            with ``{row}`` in it stands for as many entries as our tensor has rows, which become those rows.
        sizes: from the shapes to the constructor's arguments that they determine; options override them.
        spare: regular expressions of public names that no forward pass reads; such entries may be there or not.
        absent: regular expressions of our names that checkpoints do not have; these keep their initial values.
    """

    names: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
    sizes: Callable[[Shapes], dict[str, Any]]
    spare: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    def public_name(self, ours: str) -> str:
        """Return the public name of one of our weights."""
        for pattern, replacement in self.names:
            ours = re.sub(pattern, replacement, ours)
        return ours


STEM = (
    (r"^stem\.audio\.", "fc_a."),
    (r"^stem\.visual_2d\.", "fc_v."),
    (r"^stem\.visual_3d\.", "fc_st."),
    (r"^stem\.fusion\.", "fc_fusion."),
)
"""Public names of HAN's stem."""

POOLING = (
    (r"^pooling\.classifier\.", "fc_prob."),
    (r"^pooling\.time_attention\.", "fc_frame_att."),
    (r"^pooling\.modality_attention\.", "fc_av_att."),
)
"""Public names of HAN's head."""

LAYER = (
    (r"\bself_attention\.", "self_attn."),
    (r"\bcross_attention\.", "cm_attn."),
    (r"\bfeedforward_in\.", "linear1."),
    (r"\bfeedforward_out\.", "linear2."),
    (r"\battention_norm\.", "norm1."),
    (r"\bfeedforward_norm\.", "norm2."),
)
"""Public names inside a HAN layer; with ``layers.N`` to be prefixed by the system's encoder."""

ROW = "{row}"
"""Placeholder in a public name, see ``PublicLayout``."""

_REGISTRY: dict[str, PublicLayout] = {}


def register_layout(system: str, layout: PublicLayout) -> None:
    """Make a registered network's public checkpoints known to ``load_public_checkpoint``.

    Raises:
        ValueError: the system has another layout already.
    """
    if _REGISTRY.setdefault(system, layout) is not layout:
        raise ValueError(f"a checkpoint layout for {system!r} is already registered")


def checkpoint_systems() -> tuple[str, ...]:
    """Return the systems whose public checkpoints can be read, sorted."""
    return tuple(sorted(_REGISTRY))


def load_public_checkpoint(system: str, path_or_state_dict: Checkpoint, **options: Any) -> TaskNetwork:
    """Load weights that the public code of a system wrote.

    Args:
        system: registered name of the network.
        path_or_state_dict: a file written by ``torch.save``, or its content: a state dictionary, or a
            dictionary that holds one under "model".
        **options: arguments of the network's constructor that the file does not say, e.g. ``flavour`` of "han" or
            ``threshold`` of "cpsp".

    Returns:
        The network on the CPU, in evaluation mode, with sizes read from the tensors.

    Raises:
        InputError: for a system without public checkpoints, an unreadable file, and by name for unknown or missing
            entries, wrong shapes and values that are not finite.
    """
    layout = _layout_of(system)
    entries, source = read_entries(path_or_state_dict)
    arguments = layout.sizes(Shapes(entries, source)) | options
    with seeded_weights():  # they are overwritten
        network = make_network(system, **arguments)
    network.load_state_dict(mapped_state(network.state_dict(), entries, layout, f"{source} ({system})"))
    return network.eval()


def public_state(system: str, network: TaskNetwork) -> dict[str, Tensor]:
    """Return a network's weights under the names that the public code of its system gives them.

    Entries that no forward pass reads are missing, so the public code itself may want more.

    Raises:
        InputError: the system has no public checkpoints.
    """
    layout = _layout_of(system)
    absent = [re.compile(pattern) for pattern in layout.absent]
    state: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        if any(pattern.fullmatch(name) for pattern in absent):
            continue
        key = layout.public_name(name)
        parts = value.unbind() if ROW in key else (value,)
        state |= dict(zip(_keys(key, len(parts)), parts, strict=True))
    return state


def _layout_of(system: str) -> PublicLayout:
    if system not in _REGISTRY:
        known = ", ".join(checkpoint_systems())
        raise InputError(f"no public checkpoint layout of {system!r} is known: expected one of {known}")
    return _REGISTRY[system]


def mapped_state(
    own: Mapping[str, Tensor], entries: Mapping[str, Tensor], layout: PublicLayout, source: str
) -> dict[str, Tensor]:
    """Return the state dictionary of a module with public weights in it.

    Args:
        own: the module's state dictionary as it is.
        entries: the public weights.
        layout: how these are named.
        source: what messages call them.

    Raises:
        InputError: for unknown or missing entries, wrong shapes and values that are not finite, by name.
    """
    absent = {name for name in own if any(re.fullmatch(pattern, name) for pattern in layout.absent)}
    public = {name: layout.public_name(name) for name in own if name not in absent}
    used = {
        key for name, key in public.items() for key in _keys(key, len(own[name]) if own[name].ndim else 0)
    }
    unknown = [
        key
        for key in entries
        if key not in used and not any(re.fullmatch(pattern, key) for pattern in layout.spare)
    ]
    if unknown:
        raise InputError(f"{source}: unknown entries {listed(unknown)}: expected the system's public keys")
    missing = [key for key in used if key not in entries]
    if missing:
        raise InputError(f"{source}: missing entries {listed(missing)}: expected a whole checkpoint")
    state = {name: own[name] for name in absent}
    for name, key in public.items():
        value = _value(entries, key, own[name], source)
        if value.shape != own[name].shape:
            expected = tuple(own[name].shape)
            raise InputError(f"{source}: {key} has shape {tuple(value.shape)}: expected {expected}")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise InputError(f"{source}: {key} holds values that are not finite: the checkpoint is damaged")
        state[name] = value
    return state


def _keys(key: str, rows: int) -> list[str]:
    """Return the names of the entries that one of our tensors with that many rows comes from."""
    return [key.format(row=row) for row in range(rows)] if ROW in key else [key]


def _value(entries: Mapping[str, Tensor], key: str, own: Tensor, source: str) -> Tensor:
    """Return the public tensor, or the stacked ones, for one of our tensors."""
    if ROW not in key:
        return entries[key]
    names = _keys(key, len(own))
    parts = [entries[name] for name in names]
    for name, part in zip(names, parts, strict=True):
        if part.shape != parts[0].shape:
            raise InputError(
                f"{source}: {name} has shape {tuple(part.shape)}: expected {tuple(parts[0].shape)}, the others'"
            )
    return torch.stack(parts)
