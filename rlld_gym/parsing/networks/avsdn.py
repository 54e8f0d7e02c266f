"""AVSDN (Lin, Li and Wang, ICASSP 2019) as a parser: LSTMs whose decoders start from both modalities' states.

The publication localises events that are both heard and seen; how it was made to parse is not public. Encoders, the
fusion of their final states and the decoder's start from it are the publication's. Ours: a decoder a modality
instead of one for both, an event score for every class instead of one, logistic outputs instead of a softmax, and
no attention over places in a picture, as the features have none.
"""

from torch import Tensor, nn

from rlld_gym.parsing.networks.parts.lstm import BidirectionalLSTM, States
from rlld_gym.parsing.networks.parts.recurrent import RecurrentParser


class StateFusion(nn.Module):
    """Residual fusion of the two modalities' final states: (tanh(h_a + m) + tanh(h_v + m)) / 2.

    m is the mean of what two small networks, one a modality, make of the states.

    Args:
        size: width of a state of one direction.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.audio, self.visual = (
            nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, size)) for _ in range(2)
        )

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Fuse states of any equal shape (..., size) into one of that shape, in (-1, 1)."""
        shared = (self.audio(audio) + self.visual(visual)) / 2
        fused: Tensor = ((audio + shared).tanh() + (visual + shared).tanh()) / 2
        return fused


class EventCategories(nn.Module):
    """Scores of segments times scores of the whole: sigma(event of t) sigma(category of the mean over time).

    Args:
        input_size: width of the sequences.
        num_classes: number of event classes C.
    """

    def __init__(self, input_size: int, num_classes: int) -> None:
        super().__init__()
        self.event = nn.Linear(input_size, num_classes)
        self.category = nn.Linear(input_size, num_classes)

    def forward(self, sequence: Tensor) -> Tensor:
        """Return segment probabilities (B, T, C) of a sequence (B, T, input_size)."""
        category: Tensor = self.category(sequence.mean(1, keepdim=True)).sigmoid()
        event: Tensor = self.event(sequence).sigmoid()
        return category * event


class AVSDN(RecurrentParser):
    """An encoder and a decoder LSTM a modality; decoders start from the fused final states of both encoders.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features, which stand beside the frames' (ours); 0: none.
        num_classes: number of event classes C.
        hidden_size: width D of the sequences, half for each direction of an LSTM.

    Raises:
        InputError: ``hidden_size`` is odd.
    """

    def __init__(
        self,
        audio_size: int = 128,
        visual_2d_size: int = 2048,
        visual_3d_size: int = 512,
        num_classes: int = 25,
        hidden_size: int = 256,
    ) -> None:
        super().__init__(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        visual_size = visual_2d_size + visual_3d_size
        self.audio_encoder = BidirectionalLSTM(audio_size, hidden_size // 2)
        self.visual_encoder = BidirectionalLSTM(visual_size, hidden_size // 2)
        self.fusion = StateFusion(hidden_size // 2)
        self.audio_decoder = BidirectionalLSTM(audio_size, hidden_size // 2)
        self.visual_decoder = BidirectionalLSTM(visual_size, hidden_size // 2)
        self.joint = EventCategories(2 * hidden_size, num_classes)
        self.audio = EventCategories(hidden_size, num_classes)
        self.visual = EventCategories(hidden_size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features; without ``cross_attention`` a modality's state takes both places in the fusion."""
        visual = self.visual_features(visual_2d, visual_3d)
        _, audio_states = self.audio_encoder.with_states(audio)
        _, visual_states = self.visual_encoder.with_states(visual)
        for_audio, for_visual = visual_states, audio_states
        if not cross_attention:
            for_audio, for_visual = audio_states, visual_states
        audio_start = self._start(audio_states, for_audio)
        visual_start = self._start(for_visual, visual_states)
        audio_sequence, _ = self.audio_decoder.with_states(audio, audio_start)
        visual_sequence, _ = self.visual_decoder.with_states(visual, visual_start)
        return audio_sequence.relu(), visual_sequence.relu()

    def _start(self, audio: States, visual: States) -> tuple[Tensor, Tensor]:
        """Fuse hidden and cell states, (2, B, D / 2) each, by the same weights."""
        hidden, cell = (
            self.fusion(own.relu(), other.relu()) for own, other in zip(audio, visual, strict=True)
        )
        return hidden, cell
