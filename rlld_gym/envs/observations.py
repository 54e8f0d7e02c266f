"""Observations of label denoising: their space and how one is made of a state."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from rlld_gym.data.store.header import StoreHeader
from rlld_gym.denoising.evidence import EVIDENCE_LIMIT, EvidenceSource
from rlld_gym.denoising.process import DenoisingProcess

ObservationMode = Literal["features", "indices"]
Observation = dict[str, Any]


@dataclass(frozen=True)
class ObservationLayout:
    """What an observation consists of.

    Attributes:
        batch_size: videos in a state, B.
        mode: "features", or "indices": rows of the training split instead of features.
        with_labels: the labels are part of the observation.
        with_progress: the share of the episode that is over is part of the observation.
        evidence: the parser whose evidence about each label is part of the observation, if any.
    """

    batch_size: int
    mode: ObservationMode
    with_labels: bool
    with_progress: bool
    evidence: EvidenceSource | None

    def space(self, header: StoreHeader) -> spaces.Dict:
        """Return the observation space over a data set."""
        parts: dict[str, spaces.Space[Any]] = {}
        if self.mode == "features":
            for name, size in (
                ("audio", header.audio_size),
                ("visual", header.visual_2d_size + header.visual_3d_size),
            ):
                parts[name] = self._feature_box(header, size)
        else:
            parts["index"] = spaces.Box(0, header.counts["train"] - 1, (self.batch_size,), np.int64)
            if self.with_labels:
                shape = (self.batch_size, len(header.classes))
                for name in ("labels_audio", "labels_visual"):
                    parts[name] = spaces.Box(0, 1, shape, np.int8)
        if self.evidence is not None:
            evidence_shape = (self.batch_size, 2, len(header.classes))
            parts["evidence"] = spaces.Box(-EVIDENCE_LIMIT, EVIDENCE_LIMIT, evidence_shape, np.float32)
        if self.with_progress:
            parts["progress"] = spaces.Box(0, 1, (1,), np.float32)
        return spaces.Dict(parts)

    def _feature_box(self, header: StoreHeader, feature_size: int) -> spaces.Box:
        """Return a float32 box: features within what their stored dtype can hold, then labels in [0, 1]."""
        limit = float(np.finfo(header.dtype).max)
        classes = len(header.classes) if self.with_labels else 0
        low = np.concatenate((np.full(feature_size, -limit), np.zeros(classes))).astype(np.float32)
        high = np.concatenate((np.full(feature_size, limit), np.ones(classes))).astype(np.float32)
        shape = (self.batch_size, header.num_segments, feature_size + classes)
        box = spaces.Box(np.broadcast_to(low, shape), np.broadcast_to(high, shape), dtype=np.float32)
        # Printed, bounds of features and labels would fill the screen.
        box.low_repr = f"[{-limit:g}] * {feature_size} + [0] * {classes}"
        box.high_repr = f"[{limit:g}] * {feature_size} + [1] * {classes}"
        return box

    def observe(self, process: DenoisingProcess, labels: NDArray[np.bool_]) -> Observation:
        """Return the observation of a process's state, in arrays that share memory with nothing.

        Args:
            process: after a reset.
            labels: (B, 2, C) of its state, on the host.
        """
        state = process.state
        observation: Observation = {}
        if self.mode == "features":
            audio, *visual = state.features
            observation["audio"] = self._joined([audio], state.labels[:, 0])
            observation["visual"] = self._joined(visual, state.labels[:, 1])
        else:
            observation["index"] = state.indices.copy()
            if self.with_labels:
                observation["labels_audio"] = labels[:, 0].astype(np.int8)
                observation["labels_visual"] = labels[:, 1].astype(np.int8)
        if self.evidence is not None:
            # A copy also where the tensor is on the CPU: the caller may keep and change the array.
            observation["evidence"] = process.evidence(self.evidence).to("cpu", copy=True).numpy()
        if self.with_progress:
            progress = process.steps / process.config.episode_length
            observation["progress"] = np.array([progress], np.float32)
        return observation

    def _joined(self, features: list[Tensor], labels: Tensor) -> NDArray[np.float32]:
        """Return features (B, T, ...) and labels (B, C), repeated over time, side by side."""
        parts = list(features)
        if self.with_labels:
            parts.append(labels.float().unsqueeze(1).expand(-1, features[0].shape[1], -1))
        # torch.cat makes a new tensor even of a single part: the caller may keep and change the array.
        joined: NDArray[np.float32] = torch.cat(parts, dim=2).cpu().numpy()
        return joined
