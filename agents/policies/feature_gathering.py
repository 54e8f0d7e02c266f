"""Features for policies that are given indices of videos instead of features."""

import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlld_gym.data.catalog import open_data, shared_tensors
from rlld_gym.data.fingerprint import DataFingerprint
from rlld_gym.data.sharded_tensor import ShardedTensor
from rlld_gym.data.tensors import SplitTensors
from rlld_gym.envs.checks import data_header
from rlld_gym.envs.observations import ObservationLayout
from rlld_gym.envs.video_views import video_space


class FeatureGathering(nn.Module):
    """Turns index observations into feature observations, with no parameters and nothing to store.

    The features are those of the store that environments in the same process use, one read-only copy per device,
    and they are looked up on the device of the indices. They are no part of the module's state: checkpoints,
    copies and pickles of a policy stay small.

    Args:
        data: the environment's ``data``: "twin-tiny", "twin-small", "twin-full", or the path of a store file.
        data_seed: the environment's ``data_seed``.

    Raises:
        InputError: neither a twin's name nor a usable store file.

    Examples:
        >>> gather = FeatureGathering("twin-tiny")
        >>> features = gather(observation)  # doctest: +SKIP
        >>> logits = policy(features["audio"], features["visual"])  # doctest: +SKIP
    """

    def __init__(self, data: str | os.PathLike[str] = "twin-small", data_seed: int = 0) -> None:
        super().__init__()
        self.data = os.fspath(data)
        self.data_seed = data_seed
        self._header = data_header(self.data, data_seed)
        self._splits: dict[torch.device, SplitTensors] = {}

    @property
    def data_fingerprint(self) -> DataFingerprint:
        """What identifies the data set."""
        return open_data(self.data, self.data_seed).fingerprint

    def forward(self, observation: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the observation with features in place of indices.

        Args:
            observation: ``index`` (..., B) or, of the per-video environment, (..., 1), of integers or of floats
                that are integers (as libraries make of them); and, unless the environment leaves labels out,
                ``labels_audio`` and ``labels_visual`` (..., B, C) or (..., C), of any dtype. All on one device.

        Returns:
            ``audio`` (..., B, T, Da + C) and ``visual`` (..., B, T, Dv + C), or without the axis B, float32;
            without C where there are no labels. Other entries are passed on. Where there are no labels, a last
            axis of length 1 of the index is taken for that of the per-video environment.
        """
        index = observation["index"]
        videos = _videos_shape({key: tuple(value.shape) for key, value in observation.items()})
        rows = index.reshape(videos).long()
        split = self._split(index.device)
        others = {
            key: value
            for key, value in observation.items()
            if key not in ("index", "labels_audio", "labels_visual")
        }
        audio = _joined(split.audio, rows, observation.get("labels_audio"))
        return {
            "audio": audio,
            "visual": _joined(split.visual, rows, observation.get("labels_visual")),
            **others,
        }

    def feature_space(self, observation_space: spaces.Space[Any]) -> spaces.Dict:
        """Return the space of what `forward` makes of observations of a space.

        Args:
            observation_space: of the joint environment or of one video, with ``observation="indices"``.

        Returns:
            What the environment's space would be with ``observation="features"``.

        Raises:
            ValueError: it is no such space, or one over another number of videos or classes than the data has.
        """
        if not isinstance(observation_space, spaces.Dict) or "index" not in observation_space.spaces:
            raise ValueError(f'expected the space of observation="indices", found {observation_space}')
        index = observation_space["index"]
        assert isinstance(index, spaces.Box)
        shapes = {key: space.shape or () for key, space in observation_space.items()}
        num_classes = len(self._header.classes)
        found = int(index.high.max()) + 1, shapes.get("labels_audio", (num_classes,))[-1]
        expected = self._header.counts["train"], num_classes
        if found != expected:
            raise ValueError(
                f"the space has {found[0]} training videos and {found[1]} classes, {self.data} has {expected[0]} "
                f"and {expected[1]}; pass the environment's data and data_seed"
            )
        videos = _videos_shape(shapes)
        layout = ObservationLayout(
            batch_size=math.prod(videos),
            mode="features",
            with_labels="labels_audio" in shapes,
            with_progress="progress" in shapes,
            # Whose it is makes no difference to the space.
            evidence="start" if "evidence" in shapes else None,
        )
        space = layout.space(self._header)
        return space if videos else video_space(space)

    def _split(self, device: torch.device) -> SplitTensors:
        if device not in self._splits:
            self._splits[device] = shared_tensors(self.data, str(device), self.data_seed)["train"]
        return self._splits[device]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the features out; a copy looks them up again."""
        return {**self.__dict__, "_splits": {}}


def _videos_shape(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """Return (..., B), or (...) of the per-video environment, given the shapes of an index observation."""
    if "labels_audio" in shapes:
        return shapes["labels_audio"][:-1]
    index = shapes["index"]
    return index[:-1] if index[-1] == 1 else index


def _joined(features: Tensor | ShardedTensor, rows: Tensor, labels: Tensor | None) -> Tensor:
    """Return features (..., T, D) of some rows, float32, beside the labels (..., C) repeated over time."""
    segments = features.index_select(0, rows.flatten()).float().reshape(*rows.shape, *features.shape[1:])
    if labels is None:
        return segments
    repeated = labels.float().unsqueeze(-2).expand(*segments.shape[:-1], -1)
    return torch.cat((segments, repeated), dim=-1)
