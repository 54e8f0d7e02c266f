"""The hybrid attention policy of RLLD: which labels of a video to remove, given its features and labels."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rlld_gym.errors import InputError
from rlld_gym.files import atomic_path
from rlld_gym.parsing.networks.han import HANLayer, HANStem

FORMAT = "rlld-policy"
VERSION = 1


class HybridAttentionPolicy(nn.Module):
    """Hybrid attention network over states (Eq. 2-4 of RLLD, arXiv 2412.19563), of HAN's make and size.

    A state is a modality's features beside its labels, repeated over the segments (Eq. 1). HAN's stem maps it
    to a sequence, one HAN layer, shared by the two branches, attends within the modality and to the other one
    (Eq. 2-3; Tian et al., ECCV 2020), and a linear map per branch gives a logit for each segment and class,
    whose attention-weighted mean over the segments is the branch's logit of removing the label. Probabilities
    (the paper's sigmoid, Eq. 4) appear only in the action distribution.

    Args:
        audio_size: Da, audio features of a segment, without labels.
        visual_size: Dv, visual features of a segment (2D, then 3D), without labels.
        num_classes: C.
        hidden_size: width of the network.
        visual_3d_size: how many of the ``visual_size`` features, the last ones, are 3D features with a linear
            map of their own, as in HAN. 0: one linear map for all.
        initial_removal: probability, before training, that a label is removed.
        initialized_labels: whether states end in the labels; False is the paper's ablation "w/o initialized
            labels".
    """

    def __init__(
        self,
        audio_size: int,
        visual_size: int,
        num_classes: int,
        hidden_size: int = 64,
        visual_3d_size: int = 0,
        *,
        initial_removal: float = 0.2,
        initialized_labels: bool = True,
    ):
        super().__init__()
        if not 0 < initial_removal < 1:
            raise ValueError(f"initial_removal: found {initial_removal}, expected more than 0, less than 1")
        if not 0 <= visual_3d_size < visual_size:
            raise ValueError(f"visual_3d_size: found {visual_3d_size}, expected 0 to visual_size - 1")
        self.audio_size = audio_size
        self.visual_size = visual_size
        self.visual_3d_size = visual_3d_size
        self.num_classes = num_classes
        self.hidden_size = hidden_size
        self.initial_removal = initial_removal
        self.initialized_labels = initialized_labels

        self.stem = HANStem(audio_size, visual_size - visual_3d_size, visual_3d_size, hidden_size)
        if initialized_labels:
            # One Linear on the concatenation (features, labels) is the sum of one Linear on each.
            self.audio_labels = nn.Linear(num_classes, hidden_size, bias=False)
            self.visual_labels = nn.Linear(num_classes, hidden_size, bias=False)
        # No dropout: an action must be as probable when it is reinforced as when it was sampled.
        self.layer = HANLayer(hidden_size, hidden_size, dropout=0.0)
        self.audio_head = RemovalHead(hidden_size, num_classes, initial_removal)
        self.visual_head = RemovalHead(hidden_size, num_classes, initial_removal)

    @classmethod
    def for_spaces(
        cls,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        seed: int = 0,
        initialized_labels: bool = True,
        **options: Any,
    ) -> "HybridAttentionPolicy":
        """Make a policy for an environment's spaces.

        Args:
            observation_space: Dict with ``audio`` (B, T, Da + C) and ``visual`` (B, T, Dv + C), without C if
                ``initialized_labels`` is False.
            action_space: MultiBinary((B, 2, C)).
            seed: of the initial weights; the global random number generators are left alone.
            initialized_labels: whether the observations contain the labels.
            **options: further arguments of the constructor.

        Raises:
            ValueError: for other spaces.
        """
        if not (
            isinstance(observation_space, gymnasium.spaces.Dict)
            and {"audio", "visual"} <= set(observation_space)
        ):
            raise ValueError(
                f"HybridAttentionPolicy needs an observation Dict with audio and visual features, found "
                f'{observation_space}; make the environment with observation="features"'
            )
        shape = action_space.shape
        if shape is None or len(shape) != 3 or shape[1] != 2:
            raise ValueError(f"HybridAttentionPolicy needs actions of shape (B, 2, C), found {action_space}")
        label_size = shape[2] if initialized_labels else 0
        feature_sizes = []
        for name in ("audio", "visual"):
            box = observation_space[name].shape
            assert box is not None
            feature_sizes.append(box[-1] - label_size)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            audio_size, visual_size = feature_sizes
            return cls(audio_size, visual_size, shape[2], initialized_labels=initialized_labels, **options)

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Return the log-odds of removing each label.

        Args:
            audio: (B, T, Da + C) float32, features first, labels last; (B, T, Da) without initialized labels.
            visual: (B, T, Dv + C) float32; (B, T, Dv) without initialized labels.

        Returns:
            (B, 2, C) float32; [:, 0] audio, [:, 1] visual.
        """
        return self.logits(*self.encode(audio, visual))

    def encode(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the two branches know of each segment, for heads such as a critic's.

        Args:
            audio: as `forward` takes it.
            visual: as `forward` takes it.

        Returns:
            Sequences (B, T, hidden_size) of the audio and of the visual branch, float32.
        """
        visual_2d_size = self.visual_size - self.visual_3d_size
        x_audio, x_visual = self.stem(
            audio[..., : self.audio_size],
            visual[..., :visual_2d_size],
            visual[..., visual_2d_size : self.visual_size],
        )
        if self.initialized_labels:
            x_audio = x_audio + self.audio_labels(audio[..., self.audio_size :])
            x_visual = x_visual + self.visual_labels(visual[..., self.visual_size :])
        h_audio, h_visual = self.layer.update_both(x_audio, x_visual)
        return h_audio, h_visual

    def logits(self, h_audio: Tensor, h_visual: Tensor) -> Tensor:
        """Return the log-odds of removing each label, (B, 2, C), given the two sequences of `encode`."""
        return torch.stack([self.audio_head(h_audio), self.visual_head(h_visual)], dim=1)

    def sizes(self) -> dict[str, Any]:
        """Return the constructor's arguments, JSON-able."""
        return {
            "audio_size": self.audio_size,
            "visual_size": self.visual_size,
            "num_classes": self.num_classes,
            "hidden_size": self.hidden_size,
            "visual_3d_size": self.visual_3d_size,
            "initial_removal": self.initial_removal,
            "initialized_labels": self.initialized_labels,
        }


class RemovalHead(nn.Module):
    """A logit per class: the mean over the segments, weighted by attention, of linear maps of the segments.

    Args:
        hidden_size: width of the sequence.
        num_classes: C.
        initial_removal: probability that belongs to the logits, before training.
    """

    def __init__(self, hidden_size: int, num_classes: int, initial_removal: float):
        super().__init__()
        self.logit = nn.Linear(hidden_size, num_classes)
        self.attention = nn.Linear(hidden_size, num_classes)
        with torch.no_grad():  # small weights: the bias alone decides the initial probability
            self.logit.weight.mul_(0.01)
            self.logit.bias.fill_(math.log(initial_removal / (1 - initial_removal)))

    def forward(self, sequence: Tensor) -> Tensor:
        """Pool a sequence (B, T, hidden_size) to logits (B, C)."""
        weights = torch.softmax(self.attention(sequence), dim=1)
        pooled: Tensor = (weights * self.logit(sequence)).sum(dim=1)
        return pooled


def save_policy(
    policy: HybridAttentionPolicy, path: str | os.PathLike[str], weights: Mapping[str, Tensor] | None = None
) -> None:
    """Write a policy to one safetensors file, atomically, with its sizes in the file's metadata.

    Args:
        policy: the policy.
        path: the file.
        weights: a state dict to write instead of the policy's current one.
    """
    state = policy.state_dict() if weights is None else weights
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    metadata = {"format": FORMAT, "version": str(VERSION), "sizes": json.dumps(policy.sizes())}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata)


def load_policy(path: str | os.PathLike[str], device: str | torch.device = "cpu") -> HybridAttentionPolicy:
    """Read a policy that ``save_policy`` wrote.

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
            policy = HybridAttentionPolicy(**json.loads(metadata["sizes"]))
        policy.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: weights and sizes do not agree ({detail}); the file is damaged") from error
    return policy.to(device)


def check_fits(
    policy: HybridAttentionPolicy, audio_size: int, visual_size: int, num_classes: int, source: str
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
