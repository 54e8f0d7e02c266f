"""The network of Lin et al., "Exploring Cross-Video and Cross-Modality Signals", NeurIPS 2021, here CVCMS."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.errors import InputError
from rlld_gym.options import require_count
from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.han import HANLayer, HANLayers
from rlld_gym.parsing.networks.parts.stem import HANStem


class CVCMS(TaskNetwork):
    """HAN whose segments are classified by features of each class, which attend to those of the other classes.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width D of the sequences.
        feedforward_size: inner width of the layers over time; None: ``hidden_size``.
        class_size: width of a class's features; None: a quarter of ``hidden_size``.
        num_layers: number of layers over time, stacked; the publication has 1.
        num_class_layers: of layers over classes, likewise.
        heads: of each attention over time; the publication has 1.
        class_heads: of each attention over classes, likewise.
        dropout: of the layers over time.
        class_dropout: of the layers over classes.

    Raises:
        InputError: a number of layers is below 1, or a width is no multiple of its number of heads.
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
        feedforward_size: int | None = None,
        class_size: int | None = None,
        num_layers: int = 1,
        num_class_layers: int = 1,
        heads: int = 1,
        class_heads: int = 1,
        dropout: float = 0.4,
        class_dropout: float = 0.25,
    ) -> None:
        super().__init__()
        require_count("num_layers", num_layers)
        require_count("num_class_layers", num_class_layers)
        self.num_classes = num_classes
        class_size = class_size or max(1, hidden_size // 4)
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        inner = feedforward_size or hidden_size
        self.layers = HANLayers(HANLayer(hidden_size, inner, dropout, heads=heads) for _ in range(num_layers))
        self.audio_classes = nn.Linear(hidden_size, num_classes * class_size)
        self.visual_classes = nn.Linear(hidden_size, num_classes * class_size)
        self.class_layers = HANLayers(
            HANLayer(class_size, class_size, class_dropout, heads=class_heads)
            for _ in range(num_class_layers)
        )
        self.audio_classifier = nn.Linear(class_size, 1)
        self.visual_classifier = nn.Linear(class_size, 1)
        self.time_attention = nn.Linear(hidden_size, num_classes)
        self.modality_attention = nn.Linear(hidden_size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into one sequence per modality; see the base class.

        Raises:
            InputError: for ``cross_attention`` False: the classes attend to the other modality's in any case.
        """
        if not cross_attention:
            raise InputError(
                "CVCMS has no form without cross attention: use another network where one is needed"
            )
        sequences: tuple[Tensor, Tensor] = self.layers(*self.stem(audio, visual_2d, visual_3d))
        return sequences

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Classify and pool two encoded sequences, (B, T, D) each."""
        segment = self.segment_logits(audio_sequence, visual_sequence).sigmoid()
        both = torch.stack((audio_sequence, visual_sequence), 2)
        weighted = segment * self.time_attention(both).softmax(1)
        video = (weighted * self.modality_attention(both).softmax(2)).sum((1, 2))
        audio, visual = weighted.sum(1).unbind(1)
        return ParsingOutput(video, audio, visual, segment)

    def segment_logits(self, audio_sequence: Tensor, visual_sequence: Tensor) -> Tensor:
        """Return the log-odds of every segment's probabilities, (B, T, 2, C)."""
        batch, length, _ = audio_sequence.shape
        audio, visual = (
            functional.relu(layer(sequence)).reshape(batch * length, self.num_classes, -1)
            for layer, sequence in (
                (self.audio_classes, audio_sequence),
                (self.visual_classes, visual_sequence),
            )
        )
        audio, visual = self.class_layers(audio, visual)
        logits = torch.stack(
            (self.audio_classifier(audio).squeeze(-1), self.visual_classifier(visual).squeeze(-1)), 1
        )
        return logits.view(batch, length, 2, self.num_classes)

    def summaries(
        self, sequences: tuple[Tensor, Tensor], audio_labels: Tensor, visual_labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return a unit vector of each modality, (B, D): the sequence where its labels' time attention is.

        Args:
            sequences: audio and visual, (B, T, D) each.
            audio_labels: (B, C), 0 and 1.
            visual_labels: (B, C), 0 and 1.
        """
        return (
            self._summary(sequences[0], audio_labels),
            self._summary(sequences[1], visual_labels),
        )

    def _summary(self, sequence: Tensor, labels: Tensor) -> Tensor:
        weights = (self.time_attention(sequence) @ labels.to(sequence).unsqueeze(-1)).softmax(1)
        return functional.normalize((weights * sequence).sum(1), dim=-1)
