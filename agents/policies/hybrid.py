"""The hybrid attention policy of RLLD: which labels of a video to remove, given its features and labels."""

from typing import Any

import gymnasium
import torch
from torch import Tensor, nn

from rlld_agents.policies.base import (
    REMOVAL_PER_EVIDENCE,
    RemovalHead,
    StartablePolicy,
    shift_heads,
    sizes_differ,
)
from rlld_gym.parsing.networks import HAN, TaskNetwork
from rlld_gym.parsing.networks.han import HANLayer
from rlld_gym.parsing.networks.parts.attention import Attention
from rlld_gym.parsing.networks.parts.multihead import numbers_of_heads
from rlld_gym.parsing.networks.parts.stem import HANStem
from rlld_gym.parsing.randomness import seeded_weights


class HybridAttentionPolicy(StartablePolicy):
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

    kind = "hybrid"

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
        with seeded_weights(seed):
            audio_size, visual_size = feature_sizes
            return cls(audio_size, visual_size, shape[2], initialized_labels=initialized_labels, **options)

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Return the log-odds of removing each label; see the base class."""
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
        h_audio, h_visual = self.layer(x_audio, x_visual)
        return h_audio, h_visual

    def logits(self, h_audio: Tensor, h_visual: Tensor) -> Tensor:
        """Return the log-odds of removing each label, (B, 2, C), given the two sequences of `encode`."""
        return torch.stack([self.audio_head(h_audio), self.visual_head(h_visual)], dim=1)

    def segments_and_pooled(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-odds of each segment (B, T, 2, C) and of the video (B, 2, C); see the base class."""
        segments, pooled = [], []
        for head, sequence in zip(self._heads, self.encode(audio, visual), strict=True):
            segments.append(head.logit(sequence))
            pooled.append(head.pool(sequence, segments[-1]))
        return torch.stack(segments, dim=2), torch.stack(pooled, dim=1)

    @torch.no_grad()
    def start_from(self, network: TaskNetwork) -> None:
        """Take the encoder of a parser, and heads that remove what the parser does not find.

        Policy and parser are of one make ("2 x MMIL" in the paper, RLLD, arXiv 2412.19563): stem and last
        attention layer are copied. A head attends to segments as the parser's pooling does, and the log-odds of
        removal start as minus half the parser's log-odds of the event. The label projections start at zero: at
        first only what is heard and seen counts.

        Args:
            network: a HAN of the policy's sizes, whose encoder is one layer with one head.

        Raises:
            ValueError: the network is another one, or of other sizes.
        """
        heads = set(numbers_of_heads(network))
        if not (isinstance(network, HAN) and network.is_one_layer and heads == {1}):
            found = f"{type(network).__name__}"
            if isinstance(network, HAN):
                found += f" of {len(network.layers)} layers with {', '.join(map(str, sorted(heads)))} heads"
            raise ValueError(
                f"a HybridAttentionPolicy starts from a HAN of one layer with one attention head, found {found}; "
                "make a NetworkPolicy around it"
            )
        try:
            self.stem.load_state_dict(network.stem.state_dict())
            self.layer.load_state_dict(network.layers[-1].state_dict())
            for head in self._heads:
                head.attention.load_state_dict(network.pooling.time_attention.state_dict())
                head.logit.weight.copy_(-REMOVAL_PER_EVIDENCE * network.pooling.classifier.weight)
                head.logit.bias.copy_(-REMOVAL_PER_EVIDENCE * network.pooling.classifier.bias)
        except RuntimeError as error:
            raise sizes_differ(error) from error
        if self.initialized_labels:
            self.audio_labels.weight.zero_()
            self.visual_labels.weight.zero_()

    def encoder_parts(self) -> tuple[nn.Module, ...]:
        """Return stem and attention layer."""
        return self.stem, self.layer

    def set_dropout(self, probability: float) -> None:
        """Set the attention layer's dropout, in training mode."""
        for part in self.layer.modules():
            if isinstance(part, HANLayer | Attention):
                part.dropout = probability

    def shift_logits(self, shift: Tensor) -> None:
        """Add (2, C) numbers to the log-odds, by way of the heads' biases."""
        shift_heads(self._heads, shift)

    @property
    def _heads(self) -> tuple[RemovalHead, RemovalHead]:
        return self.audio_head, self.visual_head

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
