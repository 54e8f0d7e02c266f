"""Contrastive positive sample propagation (Zhou et al., TPAMI 2022), the version for audio-visual video parsing."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.han import AttentivePooling
from rlld_gym.parsing.networks.parts.dropout import dropout
from rlld_gym.parsing.networks.parts.lstm import BidirectionalLSTM, require_even, run_together
from rlld_gym.parsing.networks.parts.stem import HANStem

_EPSILON = 1e-8


class PositiveSamplePropagation(nn.Module):
    """Lets each segment read from those segments of the other modality that resemble it enough.

    Args:
        hidden_size: width of the sequences.
        threshold: share of a segment's resemblance that a segment must exceed to be read from.
        dropout: probability of zeroing an output of a projection.
    """

    def __init__(self, hidden_size: int, threshold: float, dropout: float) -> None:
        super().__init__()
        self.threshold = threshold
        self.dropout = dropout
        names = ("visual_query", "visual_message", "audio_query", "audio_message", "visual_out", "audio_out")
        for name in names:
            layer = nn.Linear(hidden_size, hidden_size, bias=False)
            nn.init.xavier_uniform_(layer.weight)
            self.add_module(name, layer)
        self.norm = nn.LayerNorm(hidden_size, eps=1e-6)

    def forward(self, audio: Tensor, visual: Tensor, cross_attention: bool = True) -> tuple[Tensor, Tensor]:
        """Update both sequences, (B, T, hidden_size) each; without cross attention no message is read."""
        if cross_attention:
            messages = self._project("visual_message", visual), self._project("audio_message", audio)
            likeness = self._project("visual_query", visual) @ self._project("audio_query", audio).mT
            likeness = functional.relu(likeness * visual.shape[-1] ** -0.5)
            to_visual, to_audio = self._shares(likeness), self._shares(likeness.mT)
            audio, visual = audio + to_audio @ messages[0], visual + to_visual @ messages[1]
        return self.norm(self._project("audio_out", audio)), self.norm(self._project("visual_out", visual))

    def _shares(self, likeness: Tensor) -> Tensor:
        """Return what each row reads from each column: shares above the threshold, normalised again."""
        shares = _row_normalised(likeness)
        return _row_normalised(shares.masked_fill(shares <= self.threshold, 0.0))

    def _project(self, name: str, values: Tensor) -> Tensor:
        return dropout(functional.relu(self.get_submodule(name)(values)), self.dropout, self.training)


def _row_normalised(values: Tensor) -> Tensor:
    return values / (values.sum(-1, keepdim=True) + _EPSILON)


class CPSP(TaskNetwork):
    """A bidirectional LSTM for each modality, positive sample propagation, and HAN's head.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0: none.
        num_classes: number of event classes C.
        hidden_size: width D of the sequences, even.
        threshold: of the propagation. The launch script says 0.090, but as released it runs with 0.099.
        dropout: probability inside the propagation.

    Raises:
        InputError: ``hidden_size`` is odd.
    """

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 512,
        *,
        threshold: float = 0.09,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        require_even(hidden_size)
        self.stem = HANStem(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        self.audio_lstm = BidirectionalLSTM(hidden_size, hidden_size // 2)
        self.visual_lstm = BidirectionalLSTM(hidden_size, hidden_size // 2)
        self.propagation = PositiveSamplePropagation(hidden_size, threshold, dropout)
        self.pooling = AttentivePooling(hidden_size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features into one sequence per modality; see the base class."""
        sequences = self.stem(audio, visual_2d, visual_3d)
        sequences = run_together((self.audio_lstm, self.visual_lstm), sequences)
        propagated: tuple[Tensor, Tensor] = self.propagation(*sequences, cross_attention)
        return propagated

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, D) each, into probabilities."""
        output: ParsingOutput = self.pooling(audio_sequence, visual_sequence)
        return output

    def segment_logits(self, audio_sequence: Tensor, visual_sequence: Tensor) -> Tensor:
        """Return the log-odds of every segment's probabilities, (B, T, 2, C)."""
        logits: Tensor = self.pooling.classifier(torch.stack((audio_sequence, visual_sequence), 2))
        return logits
