"""Policies of every make, and their files."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.ensemble import PolicyEnsemble
from rlld_agents.policies.hybrid import HybridAttentionPolicy
from rlld_agents.policies.network import NetworkPolicy
from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path

__all__ = [
    "HybridAttentionPolicy",
    "NetworkPolicy",
    "PolicyEnsemble",
    "RemovalPolicy",
    "check_fits",
    "load_policy",
    "save_policy",
]

FORMAT = "rlld-policy"
VERSION = 1


def save_policy(
    policy: RemovalPolicy, path: str | os.PathLike[str], weights: Mapping[str, Tensor] | None = None
) -> None:
    """Write a policy to one safetensors file, atomically, with its make and sizes in the file's metadata.

    Args:
        policy: the policy.
        path: the file.
        weights: a state dict to write instead of the policy's current one.
    """
    state = policy.state_dict() if weights is None else weights
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    metadata = {
        "format": FORMAT,
        "version": str(VERSION),
        "kind": policy.kind,
        "sizes": json.dumps(policy.sizes()),
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_policy(path: str | os.PathLike[str], device: str | torch.device = "cpu") -> RemovalPolicy:
    """Read a policy, of any make, that ``save_policy`` wrote.

    Args:
        path: the file, or a run folder with a policy.safetensors.
        device: where to put it.

    Raises:
        InputError: if the file is missing, damaged, of a newer version, or not a policy.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "policy.safetensors"
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a policy.safetensors that rlld train wrote")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({error}); it may be truncated") from error
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path}: a safetensors file, but not a policy; expected one that rlld train wrote")
    if metadata.get("version") != str(VERSION):
        raise InputError(
            f"{path}: policy format version {metadata.get('version')}, this program reads {VERSION}; upgrade"
        )
    try:
        with torch.random.fork_rng(devices=[]):
            # Files of the first make name none.
            policy = _make(metadata.get("kind", HybridAttentionPolicy.kind), json.loads(metadata["sizes"]))
        policy.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: weights and sizes do not agree ({detail}); the file is damaged") from error
    return policy.to(device)


def _make(kind: str, sizes: dict[str, Any]) -> RemovalPolicy:
    """Return an untrained policy of a make and size; ValueError for an unknown make."""
    if kind == PolicyEnsemble.kind:
        return PolicyEnsemble([_make(sizes["kind"], sizes["sizes"]) for _ in range(sizes["number"])])
    makes = {make.kind: make for make in (HybridAttentionPolicy, NetworkPolicy)}
    if kind not in makes:
        raise ValueError(f"a policy of the unknown make {kind!r}")
    return makes[kind](**sizes)


def check_fits(
    policy: RemovalPolicy, audio_size: int, visual_size: int, num_classes: int, source: str
) -> None:
    """Check that a policy was made for data of these sizes.

    Args:
        policy: the policy.
        audio_size: Da of the data.
        visual_size: Dv of the data, 2D and 3D features together.
        num_classes: C of the data.
        source: the policy's file, for the message.

    Raises:
        InputError: if it was not.
    """
    found = (policy.audio_size, policy.visual_size, policy.num_classes)
    expected = (audio_size, visual_size, num_classes)
    if found != expected:
        raise InputError(
            "{}: policy for {} audio features, {} visual features, {} classes, but the data has {}, {}, {}; "
            "use the data set it was trained on, or train a new policy".format(source, *found, *expected)
        )
