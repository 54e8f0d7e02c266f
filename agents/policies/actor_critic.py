"""The hybrid attention policy with a critic, in the form that actor-critic libraries can use."""

import math
from collections.abc import Mapping
from typing import Any

import gymnasium
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlld_agents.policies.feature_gathering import FeatureGathering
from rlld_agents.policies.files import HybridAttentionPolicy
from rlld_gym.parsing.randomness import seeded_weights

ABSENT_LOGIT = -20.0
"""Log-odds of removing a label that is not there: a probability of 2e-9, and a finite log-probability."""


class HybridAttentionActorCritic(nn.Module):
    """A `HybridAttentionPolicy` and a value head on its two sequences, for the joint or the per-video view.

    One network sees every video by itself, so neither view needs a layer over all B * 2 * C bits, and weights
    trained on one view run on the other. The value of a batch is the mean of its videos' values, as the joint
    reward is the mean of the videos' rewards.

    Args:
        policy: the actor; its two sequences are the critic's input, too.
        action_shape: what an action looks like to the library, of any shape with B * 2 * C (joint) or 2C bits.
        joint: observations are of a batch of videos, not of one video.
        gather: turns index observations into features; None where observations are features.
        with_progress: observations have ``progress``, which the critic then uses.
        mask_absent: give bits of labels that the observation shows as absent the log-odds `ABSENT_LOGIT`. They
            change nothing in the environment and would only add noise to ratios, entropies and gradients. No
            effect without initialized labels, which is when observations do not show them.
    """

    def __init__(
        self,
        policy: HybridAttentionPolicy,
        action_shape: tuple[int, ...],
        *,
        joint: bool,
        gather: FeatureGathering | None = None,
        with_progress: bool = False,
        mask_absent: bool = True,
    ):
        super().__init__()
        self.policy = policy
        self.gather = gather
        self.action_shape = action_shape
        self.joint = joint
        self.with_progress = with_progress
        self.mask_absent = mask_absent and policy.initialized_labels
        size = policy.hidden_size
        self.value_head = nn.Sequential(
            nn.Linear(2 * size + with_progress, size), nn.Tanh(), nn.Linear(size, 1)
        )

    @classmethod
    def for_spaces(
        cls,
        observation_space: gymnasium.Space[Any],
        action_space: gymnasium.Space[Any],
        *,
        data: str | None = None,
        data_seed: int = 0,
        seed: int = 0,
        mask_absent: bool = True,
        **policy_options: Any,
    ) -> "HybridAttentionActorCritic":
        """Make an actor-critic for an environment's spaces.

        Args:
            observation_space: Dict of the joint environment or of one video (``single_observation_space``), with
                features or indices.
            action_space: of the joint environment, B * 2 * C bits in any shape, or of one video, 2C bits.
            data: the environment's ``data``; needed for index observations only.
            data_seed: the environment's ``data_seed``.
            seed: of the initial weights; the global random number generators are left alone.
            mask_absent: see the class.
            **policy_options: options of `HybridAttentionPolicy`.

        Raises:
            ValueError: other spaces, or indices without ``data``.
        """
        gather = None
        if isinstance(observation_space, spaces.Dict) and "index" in observation_space.spaces:
            if data is None:
                raise ValueError("index observations need data: pass the environment's data (and data_seed)")
            gather = FeatureGathering(data, data_seed)
            observation_space = gather.feature_space(observation_space)
        joint, num_classes = _sizes(observation_space, action_space)
        assert isinstance(observation_space, spaces.Dict)
        assert action_space.shape is not None
        policy = HybridAttentionPolicy.for_spaces(
            observation_space, spaces.MultiBinary((1, 2, num_classes)), seed=seed, **policy_options
        )
        if gather is not None:
            policy.data = gather.data_fingerprint
        with seeded_weights(seed):
            return cls(
                policy,
                action_space.shape,
                joint=joint,
                gather=gather,
                with_progress="progress" in observation_space.spaces,
                mask_absent=mask_absent,
            )

    def forward(self, observation: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return removal logits and values.

        Args:
            observation: entries of the observation space with any leading axes N..., on one device.

        Returns:
            Logits (N..., *action_shape) and values (N...), float32.
        """
        features = observation if self.gather is None else self.gather(observation)
        audio, visual = features["audio"].float(), features["visual"].float()
        videos = audio.shape[:-2]
        audio, visual = audio.reshape(-1, *audio.shape[-2:]), visual.reshape(-1, *visual.shape[-2:])
        h_audio, h_visual = self.policy.encode(audio, visual)
        logits = self.policy.logits(h_audio, h_visual)
        if self.mask_absent:
            labels = (audio[:, 0, self.policy.audio_size :], visual[:, 0, self.policy.visual_size :])
            logits = torch.where(torch.stack(labels, dim=1) > 0, logits, ABSENT_LOGIT)
        summary = [h_audio.mean(dim=1), h_visual.mean(dim=1)]
        if self.with_progress:
            summary.append(_progress_by_video(features["progress"], videos, self.joint))
        values = self.value_head(torch.cat(summary, dim=-1)).reshape(videos)
        batch = videos[:-1] if self.joint else videos
        return logits.reshape(*batch, *self.action_shape), values.mean(dim=-1) if self.joint else values


def _sizes(observation_space: gymnasium.Space[Any], action_space: gymnasium.Space[Any]) -> tuple[bool, int]:
    """Return whether spaces are of a batch of videos, and C."""
    shape = None
    if isinstance(observation_space, spaces.Dict) and "audio" in observation_space.spaces:
        shape = observation_space["audio"].shape
    if shape is None or len(shape) not in (2, 3):
        raise ValueError(
            "expected an observation Dict with audio (B, T, Da + C) or (T, Da + C), or with indices; "
            f"found {observation_space}"
        )
    joint = len(shape) == 3
    bits_per_class = 2 * shape[0] if joint else 2
    bits = math.prod(action_space.shape or (0,))
    if bits == 0 or bits % bits_per_class:
        raise ValueError(
            f"expected an action with a bit for each of {bits_per_class // 2} videos, 2 modalities and C classes; "
            f"found {action_space}"
        )
    return joint, bits // bits_per_class


def _progress_by_video(progress: Tensor, videos: tuple[int, ...], joint: bool) -> Tensor:
    """Return the progress (N..., 1) of a batch or of videos as one row per video, (M, 1)."""
    if joint:
        progress = progress.unsqueeze(-2).expand(*videos, 1)
    return progress.reshape(-1, 1).float()
