"""AVE (Tian et al., ECCV 2018) as a parser: two LSTMs and a classifier of maxima over time.

The publication localises events that are both heard and seen; how it was made to parse is not public. The LSTMs and
the widths of the joint branch are the publication's. Ours: the branches of the single modalities, one logistic
output a class instead of a softmax over classes and background, and no attention over places in a picture, as the
features have none.
"""

from torch import Tensor, nn

from rlld_gym.parsing.networks.parts.lstm import BidirectionalLSTM
from rlld_gym.parsing.networks.parts.recurrent import RecurrentParser


class SegmentClassifier(nn.Sequential):
    """ReLU, Linear, ReLU, Linear, sigmoid: from sequences (B, T, input_size) to probabilities (B, T, C)."""

    def __init__(self, input_size: int, inner_size: int, num_classes: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Linear(input_size, inner_size),
            nn.ReLU(),
            nn.Linear(inner_size, num_classes),
            nn.Sigmoid(),
        )


class AVE(RecurrentParser):
    """A bidirectional LSTM a modality; a joint, an audio and a visual branch, each pooled by its maximum over time.

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features, which stand beside the frames' (ours); 0: none.
        num_classes: number of event classes C.
        hidden_size: width D of the sequences, half for each direction of an LSTM.
        inner_size: inner width of the branches.

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
        *,
        inner_size: int = 64,
    ) -> None:
        super().__init__(audio_size, visual_2d_size, visual_3d_size, hidden_size)
        self.audio_lstm = BidirectionalLSTM(audio_size, hidden_size // 2)
        self.visual_lstm = BidirectionalLSTM(visual_2d_size + visual_3d_size, hidden_size // 2)
        self.joint = SegmentClassifier(2 * hidden_size, inner_size, num_classes)
        self.audio = SegmentClassifier(hidden_size, inner_size, num_classes)
        self.visual = SegmentClassifier(hidden_size, inner_size, num_classes)

    def encode(
        self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor, cross_attention: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Encode features, each modality by itself whatever ``cross_attention`` says; see the base class."""
        return self.audio_lstm(audio), self.visual_lstm(self.visual_features(visual_2d, visual_3d))
