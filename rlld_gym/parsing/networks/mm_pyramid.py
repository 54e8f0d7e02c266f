"""MM-Pyramid (Yu et al., "Multimodal Pyramid Attentional Network", ACM MM 2022)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.han import AttentivePooling
from rlld_gym.parsing.networks.parts.pyramid import (
    LevelFusion,
    PyramidFeedForward,
    PyramidLayer,
    PyramidLevel,
)
from rlld_gym.parsing.networks.parts.stem import HANStem


class MMPyramid(TaskNetwork):
    """A pyramid of attention and dilated convolutions with growing reach, fused over its levels, and HAN's head.

    As published the two streams leave the pyramid swapped: what is trained and scored as audio is the stream whose
    queries are visual, and conversely. It works because every level mixes the modalities.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width D, a multiple of ``heads``.
        heads: of the attentions.
        feedforward_size: inner width of the feed-forward parts; None: ``hidden_size``.
        levels: number of levels; level l, from 0, reaches 2^l segments far.
        dropout: of the layers' outputs.
        attention_dropout: of attention weights.
        swapped: False gives each modality its own stream (ours).

    Raises:
        InputError: ``hidden_size`` is no multiple of ``heads``, or ``levels`` is below 1.
    """

    separates_modalities: ClassVar[bool] = False

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 512,
        *,
        heads: int = 8,
        feedforward_size: int | None = None,
        levels: int = 4,
        dropout: float = 0.2,
        attention_dropout: float = 0.1,
        swapped: bool = True,
    ) -> None:
        super().__init__()
        if levels < 1:
            raise InputError(f"levels is {levels}: expected at least 1")
        self.swapped = swapped
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        inner = feedforward_size or hidden_size
        rates = {"dropout": dropout, "attention_dropout": attention_dropout}
        feedforward = PyramidFeedForward(hidden_size, inner, dropout)
        self.levels = nn.ModuleList(
            [PyramidLevel(hidden_size, heads, 2**level, feedforward, **rates) for level in range(levels)]
        )
        layer = PyramidLayer(hidden_size, heads, PyramidFeedForward(hidden_size, inner, dropout), **rates)
        self.audio_fusion, self.visual_fusion = (
            LevelFusion(layer, hidden_size),
            LevelFusion(layer, hidden_size),
        )
        self.pooling = AttentivePooling(hidden_size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into one sequence per modality; see the base class.

        Raises:
            InputError: for ``cross_attention`` False: the published network cannot see one modality alone.
        """
        if not cross_attention:
            raise InputError(
                "MM-Pyramid has no form without cross attention: use another network where one is needed"
            )
        audio_sequence, visual_sequence = self.stem(audio, visual_2d, visual_3d)
        passed = []
        for level in self.levels:
            audio_sequence, visual_sequence = level(audio_sequence, visual_sequence)
            passed.append((audio_sequence, visual_sequence))
        audio_levels, visual_levels = (torch.stack(outputs, 2) for outputs in zip(*passed, strict=True))
        fused_audio, fused_visual = self.audio_fusion(audio_levels), self.visual_fusion(visual_levels)
        return (fused_visual, fused_audio) if self.swapped else (fused_audio, fused_visual)

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, D) each, into probabilities."""
        output: ParsingOutput = self.pooling(audio_sequence, visual_sequence)
        return output

    def segment_logits(self, audio_sequence: Tensor, visual_sequence: Tensor) -> Tensor:
        """Return the log-odds of every segment's probabilities, (B, T, 2, C)."""
        logits: Tensor = self.pooling.classifier(torch.stack((audio_sequence, visual_sequence), 2))
        return logits
