"""Dual hierarchical hybrid network (Jiang et al., "DHHN", ACM MM 2022)."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.errors import InputError
from rlld_gym.options import require_count
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.han import AttentivePooling, HANLayer, HANLayers
from rlld_gym.parsing.networks.parts.guides import AudioGuide, GuideOutput, VisualGuide
from rlld_gym.parsing.networks.parts.stem import HANStem

_SCALES = ((1, 1, 0), (3, 2, 1), (5, 5, 2))
"""Kernel size, stride and padding of each scale's convolution."""


class ScaleBlock(nn.Module):
    """A convolution over time, batch normalisation and a ReLU."""

    def __init__(self, size: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(size, size, kernel, stride=stride, padding=padding, bias=False)
        self.norm = nn.BatchNorm1d(size)

    def forward(self, sequence: Tensor) -> Tensor:
        """Map (B, T, size) to (B, T', size)."""
        return functional.relu(self.norm(self.convolution(sequence.mT))).mT


class DHHN(TaskNetwork):
    """HAN on three time scales, added up, and two guides that see one modality each and serve in training only.

    The sequences of `encode` hold the three sums, coarsest last, side by side: their width is 3 D.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width D, a multiple of ``heads`` and, with guides, of ``guide_heads``.
        feedforward_size: inner width of the HAN layers; None: ``hidden_size``.
        num_layers: number of HAN layers, stacked, which all scales share; the publication has 1.
        heads: of the HAN layers' attentions; the publication has 1.
        dropout: probability inside the HAN layers.
        guides: False builds the main network alone, which is all that its public checkpoints hold.
        guide_heads: of the guides' attentions.
        audio_guide_rate: learning rate of the audio guide as a factor of the recipe's.
        visual_guide_rate: likewise, visual.

    Raises:
        InputError: ``num_layers`` below 1, or ``hidden_size`` cannot be divided into the heads.
    """

    stackable: ClassVar[bool] = False  # batch normalisation keeps running statistics

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 512,
        *,
        feedforward_size: int | None = None,
        num_layers: int = 1,
        heads: int = 1,
        dropout: float = 0.1,
        guides: bool = True,
        guide_heads: int = 8,
        audio_guide_rate: float = 2.0,
        visual_guide_rate: float = 0.2,
    ) -> None:
        super().__init__()
        require_count("num_layers", num_layers)
        self._rates = {"audio_guide": audio_guide_rate, "visual_guide": visual_guide_rate} if guides else {}
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        self.audio_scales = nn.ModuleList([ScaleBlock(hidden_size, *scale) for scale in _SCALES])
        self.visual_scales = nn.ModuleList([ScaleBlock(hidden_size, *scale) for scale in _SCALES])
        inner = feedforward_size or hidden_size
        self.layers = HANLayers(HANLayer(hidden_size, inner, dropout, heads=heads) for _ in range(num_layers))
        self.pooling = AttentivePooling(hidden_size, num_classes)
        self.audio_guide: AudioGuide | None = None
        self.visual_guide: VisualGuide | None = None
        if guides:
            self.audio_guide = AudioGuide(audio_size, num_classes, hidden_size, guide_heads)
            self.visual_guide = VisualGuide(
                visual_2d_size, visual_3d_size, num_classes, hidden_size, guide_heads
            )

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into one sequence per modality, (B, T, 3 D) each; see the base class."""
        stem_audio, stem_visual = self.stem(audio, visual_2d, visual_3d)
        length = stem_audio.shape[1]
        sums: list[tuple[Tensor, Tensor]] = []
        for audio_scale, visual_scale in zip(self.audio_scales, self.visual_scales, strict=True):
            updated = self.layers(audio_scale(stem_audio), visual_scale(stem_visual), cross_attention)
            fine_audio, fine_visual = (_stretched(sequence, length) for sequence in updated)
            if sums:
                fine_audio, fine_visual = fine_audio + sums[-1][0], fine_visual + sums[-1][1]
            sums.append((fine_audio, fine_visual))
        audio_sums, visual_sums = zip(*sums, strict=True)
        return torch.cat(audio_sums, -1), torch.cat(visual_sums, -1)

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool the three sums, (B, T, 3 D) of each modality, and average their probabilities."""
        count, batch = len(_SCALES), len(audio_sequence)
        audio, visual = (torch.cat(part.chunk(count, -1)) for part in (audio_sequence, visual_sequence))
        output: ParsingOutput = self.pooling(audio, visual)
        return ParsingOutput(*(part.view(count, batch, *part.shape[1:]).mean(0) for part in output))

    def guide_outputs(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor
    ) -> tuple[GuideOutput, GuideOutput]:
        """Return what the audio and the visual guide make of a batch; arguments as for `encode`.

        Raises:
            InputError: the network was built without guides.
        """
        if self.audio_guide is None or self.visual_guide is None:
            raise InputError("this DHHN has no guides to be trained with: build it with guides=True")
        return self.audio_guide(audio), self.visual_guide(visual_2d, visual_3d)

    def learning_rate_factors(self) -> dict[str, float]:
        """Return the guides' factors; see the base class."""
        return self._rates


def _stretched(sequence: Tensor, length: int) -> Tensor:
    """Return (B, length, D) of (B, T', D), each step repeated (nearest neighbour)."""
    nearest = torch.arange(length, device=sequence.device) * sequence.shape[1] // length
    return sequence[:, nearest]
