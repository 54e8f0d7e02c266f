"""Weights in the key layout of the public HAN and JoMoLD code, mapped to ours.

Layout: ``fc_*`` linear layers and ``hat_encoder.layers.N.*``. The public classes also allocate modules that
no forward pass calls (three more encoders and final norms); their entries are known by name and skipped.
"""

import os
import pickle
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rlld_gym.errors import InputError

_OUTER = {
    "fc_a": "stem.audio",
    "fc_v": "stem.visual_2d",
    "fc_st": "stem.visual_3d",
    "fc_fusion": "stem.fusion",
    "fc_prob": "pooling.classifier",
    "fc_frame_att": "pooling.time_attention",
    "fc_av_att": "pooling.modality_attention",
}
_LAYER = {
    "self_attn.in_proj_weight": "self_attention.in_proj_weight",
    "self_attn.in_proj_bias": "self_attention.in_proj_bias",
    "self_attn.out_proj.weight": "self_attention.out_proj.weight",
    "self_attn.out_proj.bias": "self_attention.out_proj.bias",
    "cm_attn.in_proj_weight": "cross_attention.in_proj_weight",
    "cm_attn.in_proj_bias": "cross_attention.in_proj_bias",
    "cm_attn.out_proj.weight": "cross_attention.out_proj.weight",
    "cm_attn.out_proj.bias": "cross_attention.out_proj.bias",
    "linear1.weight": "feedforward_in.weight",
    "linear1.bias": "feedforward_in.bias",
    "linear2.weight": "feedforward_out.weight",
    "linear2.bias": "feedforward_out.bias",
    "norm1.weight": "attention_norm.weight",
    "norm1.bias": "attention_norm.bias",
    "norm2.weight": "feedforward_norm.weight",
    "norm2.bias": "feedforward_norm.bias",
}
_UNUSED = re.compile(
    r"(cmt_encoder|hat_encoder)\.norm[12]\.(weight|bias)"
    r"|(audio_encoder|visual_encoder|cmt_encoder)\.layers\.\d+\."
    r"(self_attn\.(in_proj_weight|in_proj_bias|out_proj\.(weight|bias))|(linear|norm)[12]\.(weight|bias))"
)
_LOAD_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
)
_LAYER_INDEX = re.compile(r"hat_encoder\.layers\.(\d+)\.")


def read_public_checkpoint(
    path_or_state_dict: str | os.PathLike[str] | Mapping[str, object],
) -> tuple[dict[str, int], dict[str, Tensor]]:
    """Read sizes and weights of a public checkpoint.

    Args:
        path_or_state_dict: a file written by ``torch.save``, or its content: a state dictionary, or a
            dictionary that holds one under "model" (as JoMoLD's training writes).

    Returns:
        Constructor arguments of ``HAN`` (sizes and number of layers), and its state dictionary.

    Raises:
        InputError: for an unreadable file, and by name for unknown or missing entries, wrong shapes and
            values that are not finite.
    """
    content: object = path_or_state_dict
    source = "public checkpoint"
    if isinstance(path_or_state_dict, (str, os.PathLike)):
        source = os.fspath(path_or_state_dict)
        content = _load_file(source)
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    entries = _checked_entries(content, source)
    mapping = _key_mapping(len({match[1] for key in entries if (match := _LAYER_INDEX.match(key))}) or 1)
    unknown = [key for key in entries if key not in mapping and not _UNUSED.fullmatch(key)]
    if unknown:
        raise InputError(f"{source}: unknown entries {_listed(unknown)}: expected public HAN or JoMoLD keys")
    missing = [key for key in mapping if key not in entries]
    if missing:
        raise InputError(f"{source}: missing entries {_listed(missing)}: expected a whole HAN or JoMoLD")
    sizes = _sizes(entries, source)
    _check_shapes(entries, sizes, source)
    return sizes, {ours: entries[public] for public, ours in mapping.items()}


def _load_file(path: str) -> object:
    if not os.path.isfile(path) or not os.access(path, os.R_OK):
        raise InputError(f"{path}: is not a readable file: expected a checkpoint written by torch.save")
    # JoMoLD's file also holds numpy's random state, whose arrays torch does not unpickle unless told.
    reconstruct = np.zeros(1).__reduce__()[0]
    allowed: list[Any] = [np.ndarray, np.dtype, type(np.dtype(np.uint32))]
    allowed += [(reconstruct, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    try:
        with torch.serialization.safe_globals(allowed):
            return torch.load(path, map_location="cpu", weights_only=True)
    except _LOAD_ERRORS as error:
        raise InputError(
            f"{path}: not a checkpoint of plain tensors: expected what torch.load(weights_only=True) reads"
        ) from error


def _checked_entries(content: object, source: str) -> dict[str, Tensor]:
    if not isinstance(content, Mapping) or not content:
        kind = "nothing" if content == {} else type(content).__name__
        raise InputError(f"{source}: holds {kind}: expected a state dictionary")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InputError(f"{source}: entry {key!r} is a {type(value).__name__}: expected named tensors")
    return dict(content)


def _key_mapping(num_layers: int) -> dict[str, str]:
    mapping = {f"{a}.{kind}": f"{b}.{kind}" for a, b in _OUTER.items() for kind in ("weight", "bias")}
    for index in range(num_layers):
        mapping |= {f"hat_encoder.layers.{index}.{a}": f"layers.{index}.{b}" for a, b in _LAYER.items()}
    return mapping


def _sizes(entries: Mapping[str, Tensor], source: str) -> dict[str, int]:
    def size(key: str, axis: int) -> int:
        if entries[key].ndim != 2:
            raise InputError(f"{source}: {key} has shape {tuple(entries[key].shape)}: expected a matrix")
        return int(entries[key].shape[axis])

    return {
        "audio_size": size("fc_a.weight", 1),
        "visual_2d_size": size("fc_v.weight", 1),
        "visual_3d_size": size("fc_st.weight", 1),
        "num_classes": size("fc_prob.weight", 0),
        "hidden_size": size("fc_a.weight", 0),
        "feedforward_size": size("hat_encoder.layers.0.linear1.weight", 0),
        "num_layers": sum(key.endswith("cm_attn.in_proj_bias") for key in entries),
    }


def _check_shapes(entries: Mapping[str, Tensor], sizes: Mapping[str, int], source: str) -> None:
    hidden, inner, classes = sizes["hidden_size"], sizes["feedforward_size"], sizes["num_classes"]
    inputs = {"fc_a": sizes["audio_size"], "fc_v": sizes["visual_2d_size"], "fc_st": sizes["visual_3d_size"]}
    for key, value in entries.items():
        if _UNUSED.fullmatch(key):
            continue
        module = key.rpartition(".")[0]
        if key.startswith(("fc_prob", "fc_frame_att", "fc_av_att")):
            rows, columns = classes, hidden
        elif key.startswith("fc_"):
            rows, columns = hidden, inputs.get(module, 2 * hidden)
        elif "in_proj" in key:
            rows, columns = 3 * hidden, hidden
        elif "linear" in key:
            rows, columns = (inner, hidden) if "linear1" in key else (hidden, inner)
        else:
            rows, columns = hidden, hidden
        expected = (rows, columns) if key.endswith("weight") and "norm" not in key else (rows,)
        if tuple(value.shape) != expected:
            raise InputError(f"{source}: {key} has shape {tuple(value.shape)}: expected {expected}")
        if not bool(value.isfinite().all()):
            raise InputError(f"{source}: {key} holds values that are not finite: the checkpoint is damaged")


def _listed(keys: list[str]) -> str:
    shown = ", ".join(sorted(keys)[:8])
    return shown + (f" and {len(keys) - 8} more" if len(keys) > 8 else "")
