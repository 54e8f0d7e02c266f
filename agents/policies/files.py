"""Policies of every make, and their files."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch import Tensor

from rlld_agents.policies.base import RemovalPolicy
from rlld_agents.policies.combined import CombinedPolicy
from rlld_agents.policies.ensemble import PolicyEnsemble
from rlld_agents.policies.evidence import EvidencePolicy
from rlld_agents.policies.hybrid import HybridAttentionPolicy
from rlld_agents.policies.network import NetworkPolicy
from rlld_gym.data import FeatureStore
from rlld_gym.data.fingerprint import require_same_meaning
from rlld_gym.errors import InputError
from rlld_gym.parsing.randomness import seeded_weights
from rlld_gym.tensor_files import DATA_KEY, TensorFormat, data_of
from rlld_gym.torch_settings import own_torch_settings

__all__ = [
    "POLICY_NAME",
    "HybridAttentionPolicy",
    "NetworkPolicy",
    "PolicyEnsemble",
    "RemovalPolicy",
    "check_data",
    "check_fits",
    "load_policy",
    "save_policy",
]

POLICY_NAME = "policy.safetensors"
"""What a policy's file is called in a run folder."""

FORMAT = TensorFormat("rlld-policy", 1, "policy", POLICY_NAME)


def save_policy(
    policy: RemovalPolicy, path: str | os.PathLike[str], weights: Mapping[str, Tensor] | None = None
) -> None:
    """Write a policy to one safetensors file, atomically, with its make, sizes and data in the metadata.

    Args:
        policy: the policy.
        path: the file.
        weights: a state dict to write instead of the policy's current one.
    """
    state = policy.state_dict() if weights is None else weights
    data = {} if policy.data is None else {DATA_KEY: policy.data.as_dict()}
    FORMAT.write(path, state, {"kind": policy.kind, "sizes": policy.sizes(), **data})


@own_torch_settings()
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
        path = path / POLICY_NAME
    if is_zipfile(path):
        raise InputError(
            f"{path}: a zip archive, such as a model of Stable-Baselines3; opening one may run code, so it is not "
            "opened. Where the model was made, write its policy: rlld_agents.save_policy("
            "model.policy.actor_critic.policy, 'policy.safetensors')"
        )
    metadata, tensors = FORMAT.read_about(path), FORMAT.read_tensors(path)
    try:
        with seeded_weights():  # they are overwritten
            # Files of the first make name none.
            policy = _make(metadata.get("kind", HybridAttentionPolicy.kind), json.loads(metadata["sizes"]))
        policy.load_state_dict(tensors)
        policy.data = data_of(metadata, path)
    except InputError as error:  # such as a network of a module that is not here
        raise InputError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FORMAT.disagreement(path, error) from error
    return policy.to(device)


def content_checksum(path: str | os.PathLike[str]) -> str:
    """Return what identifies a policy's weights, whatever else its file says.

    Raises:
        InputError: if the file is missing, damaged, of a newer version, or not a policy.
    """
    return FORMAT.content_checksum(path)


def _make(kind: str, sizes: dict[str, Any]) -> RemovalPolicy:
    """Return an untrained policy of a make and size; ValueError for an unknown make."""
    if kind == PolicyEnsemble.kind:
        return PolicyEnsemble([_make(sizes["kind"], sizes["sizes"]) for _ in range(sizes["number"])])
    if kind == CombinedPolicy.kind:
        prior, evidence = (_make(sizes[part]["kind"], sizes[part]["sizes"]) for part in ("prior", "evidence"))
        if not isinstance(evidence, EvidencePolicy):
            raise ValueError(f"a combined policy whose evidence is of the make {evidence.kind!r}")
        return CombinedPolicy(prior, evidence)
    makes = {make.kind: make for make in (HybridAttentionPolicy, NetworkPolicy, EvidencePolicy)}
    if kind not in makes:
        raise ValueError(f"a policy of the unknown make {kind!r}")
    return makes[kind](**sizes)


def check_data(policy: RemovalPolicy, store: FeatureStore, source: str) -> None:
    """Raise InputError unless a policy was made for data of a store's sizes and classes, in their order.

    Args:
        policy: the policy.
        store: the data set.
        source: the policy's file, for the message.
    """
    check_fits(policy, store.audio_size, store.visual_size, len(store.classes), source)
    require_same_meaning(policy.data, store.fingerprint, "policy", source)


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
