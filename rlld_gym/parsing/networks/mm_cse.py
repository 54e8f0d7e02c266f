"""MM-CSE: multimodal class-aware semantic enhancement (Zhao et al., AAAI 2025)."""

import copy
from typing import ClassVar, NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.options import require_count
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.parts.clap import CLAP_FREQUENCIES, CLAP_TIMES, pool_clap_map
from rlld_gym.parsing.networks.parts.class_decoupling import (
    ClassDecoupling,
    Reconstruction,
    background_cosine,
    background_cosines,
)
from rlld_gym.parsing.networks.parts.class_enhancement import ClassEnhancement, ClassMaps, Pair
from rlld_gym.parsing.networks.parts.classwise import ClasswisePooling
from rlld_gym.parsing.networks.parts.stem import HANStem


class SemanticOutput(NamedTuple):
    """Everything that MM-CSE's loss compares.

    Attributes:
        parsing: probabilities.
        segment_logits: (B, T, 2, C), before the logistic function.
        maps: attention among classes in the last layer.
        reconstruction: mean squared errors of the stem's sequences, scalars, audio and visual.
        orthogonality: mean cosines of class and background features, scalars, audio and visual.
    """

    parsing: ParsingOutput
    segment_logits: Tensor
    maps: ClassMaps
    reconstruction: tuple[Tensor, Tensor]
    orthogonality: tuple[Tensor, Tensor]


def _published_heads(size: int) -> int:
    """Return the largest number of heads up to 8 that divides a width and leaves each at least 16 of it; else 1."""
    return next(heads for heads in range(max(1, min(8, size // 16)), 0, -1) if size % heads == 0)


class MMCSE(TaskNetwork):
    """A feature a class in every segment, enhanced by other classes and over time, and a head a class.

    Audio features are CLAP maps (B, 64, audio_size) or one vector a segment, (B, T, audio_size). Sequences that
    ``encode`` returns are the features of all classes side by side, C * class_size wide.

    Args:
        audio_size: width of the audio features; the publication's are CLAP's maps.
        visual_2d_size: width of the visual features; the publication's are CLIP's.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width of the stem's sequences.
        class_size: width of a class's feature; None: half of ``hidden_size``, as published.
        feedforward_size: inner width of the feed-forward parts; None: four times ``class_size``, as published.
        num_layers: number of enhancement layers, which start equal.
        heads: of the attentions; None: 8, as published, fewer where each would be narrower than the published 16.
        dropout: probability everywhere.

    Raises:
        InputError: ``heads`` does not divide the width of a class's feature.
        InputError: ``num_layers`` below 1.
    """

    published_features: ClassVar[str] = "CLAP maps (64 rows of 768), CLIP (768) and R(2+1)D-18 (512) features"

    def __init__(
        self,
        audio_size: int = 768,
        visual_2d_size: int = 768,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 256,
        *,
        class_size: int | None = None,
        feedforward_size: int | None = None,
        num_layers: int = 4,
        heads: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        require_count("num_layers", num_layers)
        size = class_size or max(hidden_size // 2, 1)
        self.class_size = size
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        self.audio_classes = ClassDecoupling(hidden_size, size, num_classes, 1, dropout)
        self.visual_classes = ClassDecoupling(hidden_size, size, num_classes, 2, dropout)
        self.audio_reconstruction = Reconstruction(hidden_size, size, num_classes)
        self.visual_reconstruction = Reconstruction(hidden_size, size, num_classes)
        layer = ClassEnhancement(size, feedforward_size or 4 * size, heads or _published_heads(size), dropout)
        self.layers = nn.ModuleList(copy.deepcopy(layer) for _ in range(num_layers))
        self.pooling = ClasswisePooling(size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into two sequences, (B, T, C * class_size) each; see the class and the base class."""
        stem_audio, stem_visual = self._stem(audio, visual_2d, visual_3d)
        classes = (self.audio_classes(stem_audio)[0], self.visual_classes(stem_visual)[0])
        (audio_classes, visual_classes), _ = self._enhance(classes, cross_attention)
        return audio_classes.flatten(-2), visual_classes.flatten(-2)

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, C * class_size) each, into probabilities."""
        shape = (*audio_sequence.shape[:-1], -1, self.class_size)
        output: ParsingOutput = self.pooling(audio_sequence.view(shape), visual_sequence.view(shape))[0]
        return output

    def analyse(self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor) -> SemanticOutput:
        """Parse a batch and return what the loss needs besides probabilities; arguments as ``forward``'s."""
        stem_audio, stem_visual = self._stem(audio, visual_2d, visual_3d)
        audio_classes, audio_decoupled = self.audio_classes(stem_audio)
        visual_classes, visual_decoupled = self.visual_classes(stem_visual)
        enhanced, maps = self._enhance((audio_classes, visual_classes), cross_attention=True)
        parsing, logits = self.pooling(*enhanced)
        return SemanticOutput(
            parsing=parsing,
            segment_logits=logits,
            maps=maps,
            reconstruction=(
                functional.mse_loss(self.audio_reconstruction(audio_decoupled), stem_audio),
                functional.mse_loss(self.visual_reconstruction(visual_decoupled), stem_visual),
            ),
            orthogonality=(
                background_cosines(audio_decoupled).mean(),
                background_cosine(visual_decoupled).mean(),
            ),
        )

    def _stem(self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor) -> tuple[Tensor, Tensor]:
        """Project features; audio is a sequence of segments, or CLAP's map (B, 64, audio_size)."""
        segments = visual_3d.shape[1]
        if audio.shape[1] == CLAP_FREQUENCIES * CLAP_TIMES != segments:
            audio = pool_clap_map(audio, segments)
        sequences: tuple[Tensor, Tensor] = self.stem(audio, visual_2d, visual_3d)
        return sequences

    def _enhance(self, classes: Pair, cross_attention: bool) -> tuple[Pair, ClassMaps]:
        first, *others = self.layers
        classes, maps = first(*classes, cross_attention)
        for layer in others:
            classes, maps = layer(*classes, cross_attention)
        return classes, maps
