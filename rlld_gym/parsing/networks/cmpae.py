"""CMPAE: collecting cross-modal presence-absence evidence (Gao et al., CVPR 2023)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.options import require_count
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.han import HANLayer, HANLayers
from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.evidence import LEAK, EvidencePooling, evidence
from rlld_gym.parsing.networks.parts.stem import HANStem, pooled_frames


class Uncertainty(NamedTuple):
    """How little evidence a batch of B videos holds; every entry in (0, 1).

    Attributes:
        video: (B,), of the video's classes as a whole.
        audio: (B, C), of each class, from evidence pooled over the audio segments.
        visual: (B, C), likewise.
        segment: (B, T, 2, C), of every segment; modality 0 is audio, 1 is visual.
    """

    video: Tensor
    audio: Tensor
    visual: Tensor
    segment: Tensor


class ELUStem(HANStem):
    """HAN's stem with an ELU after every linear layer, also before the mean over a segment's frames."""

    def forward(self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor) -> tuple[Tensor, Tensor]:
        """Project a batch; arguments, result and errors are those of ``HANStem``.

        Features that are stored pooled over frames meet the ELU after their mean, unlike in the publication.
        """
        visual = pooled_frames(functional.elu(self.visual_2d(visual_2d)), audio.shape[1])
        if self.visual_3d is not None and self.fusion is not None:
            clips = functional.elu(self.visual_3d(visual_3d))
            visual = functional.elu(self.fusion(torch.cat((visual, clips), -1)))
        elif visual_3d.shape[-1] > 0:
            raise ValueError(f"visual_3d has width {visual_3d.shape[-1]}: expected 0, as visual_3d_size is 0")
        return functional.elu(self.audio(audio)), visual


class VideoBranch(nn.Module):
    """Classifier of whole segments, both modalities together, on the stem's sequences.

    Args:
        hidden_size: width of the sequences.
        num_classes: number of event classes.
    """

    def __init__(self, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(hidden_size, hidden_size)
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Return video probabilities (B, C) and uncertainties (B,) of two sequences, (B, T, hidden_size) each."""
        both = functional.leaky_relu(self.hidden(torch.stack((audio, visual))), LEAK)
        logits = self.classifier(both.sum(0))
        strength = 1.0 + evidence(logits.mean(1))
        return logits.sigmoid().mean(1), logits.shape[-1] / strength.sum(-1)


class CMPAE(TaskNetwork):
    """HAN layers, of which passes with and without cross-attention are mixed, and a head of evidence.

    Sequences that ``encode`` returns have twice the width: what HAN's layers made, then what the stem made, which
    the video branch reads. `compared` takes the part that the contrastive loss compares.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none (ours: the frames' sequence is not fused).
        num_classes: number of event classes C.
        hidden_size: width D.
        feedforward_size: inner width of the feed-forward part; None: ``hidden_size``.
        num_layers: number of HAN layers, stacked; the publication has 1.
        heads: of each attention; the publication has 1.
        dropout: probability inside the layers.
        visual_dropout: probability before the head, visual sequence only.
        context_dropout: probability in the head's cross-modal part.
        mixing: share of the pass with cross-attention where it is asked for.
        fused_share: in evaluation mode ``forward`` is the mean of the probabilities with and without
            cross-attention, weighed by this share and the rest; 1 leaves the second pass out.

    Raises:
        InputError: ``num_layers`` below 1, or ``hidden_size`` is no multiple of ``heads``.
    """

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
        visual_dropout: float = 0.5,
        context_dropout: float = 0.2,
        mixing: float = 0.8,
        fused_share: float = 0.7,
    ) -> None:
        super().__init__()
        require_count("num_layers", num_layers)
        self.visual_dropout = visual_dropout
        self.mixing = mixing
        self.fused_share = fused_share
        self.stem = ELUStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        inner = feedforward_size or hidden_size
        self.layers = HANLayers(HANLayer(hidden_size, inner, dropout, heads=heads) for _ in range(num_layers))
        self.video_branch = VideoBranch(hidden_size, num_classes)
        self.pooling = EvidencePooling(hidden_size, num_classes, context_dropout)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into two sequences, (B, T, 2 D) each; see the class and the base class."""
        stem: tuple[Tensor, Tensor] = self.stem(audio, visual_2d, visual_3d)
        own: tuple[Tensor, Tensor] = self.layers(*stem, cross_attention=False)
        if cross_attention:
            across = self.layers(*stem)
            own = (
                torch.lerp(own[0], across[0], self.mixing),
                torch.lerp(own[1], across[1], self.mixing),
            )
        return torch.cat((own[0], stem[0]), -1), torch.cat((own[1], stem[1]), -1)

    def forward(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> ParsingOutput:
        """Parse a batch; in evaluation mode two passes are fused, see ``fused_share``."""
        features = (audio, visual_2d, visual_3d)
        self.require_features(*(part.shape[-1] for part in features))
        output = self.head(*self.encode(*features, cross_attention))
        if self.training or not cross_attention or self.fused_share == 1.0:
            return output
        alone = self.head(*self.encode(*features, cross_attention=False))
        fused = (torch.lerp(*pair, self.fused_share) for pair in zip(alone, output, strict=True))
        return ParsingOutput(*fused)

    def compared(self, audio_sequence: Tensor, visual_sequence: Tensor) -> tuple[Tensor, Tensor]:
        """Return the part of two encoded sequences that the contrastive loss compares, (B, T, D) each."""
        return audio_sequence.chunk(2, -1)[0], visual_sequence.chunk(2, -1)[0]

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, 2 D) each, into probabilities."""
        return self.weigh(audio_sequence, visual_sequence)[0]

    def weigh(self, audio_sequence: Tensor, visual_sequence: Tensor) -> tuple[ParsingOutput, Uncertainty]:
        """Pool two encoded sequences, (B, T, 2 D) each, into probabilities and their uncertainties."""
        audio, audio_stem = audio_sequence.chunk(2, -1)
        visual, visual_stem = visual_sequence.chunk(2, -1)
        video, video_uncertainty = self.video_branch(audio_stem, visual_stem)
        visual = dropout(visual, self.visual_dropout, self.training)
        (segment, segment_uncertainty), (pooled, pooled_uncertainty) = self.pooling(audio, visual)
        (audio_prob, visual_prob), (audio_doubt, visual_doubt) = (
            pooled.unbind(1),
            pooled_uncertainty.unbind(1),
        )
        return (
            ParsingOutput(video, audio_prob, visual_prob, segment),
            Uncertainty(video_uncertainty, audio_doubt, visual_doubt, segment_uncertainty),
        )
