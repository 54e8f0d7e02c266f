"""What AVE and AVSDN share: features go straight into LSTMs, and a video's probabilities are maxima over time."""

import torch
from torch import Tensor, nn

from rlld_gym.parsing.networks.base import ParsingOutput, TaskNetwork
from rlld_gym.parsing.networks.parts.lstm import require_even
from rlld_gym.parsing.networks.parts.stem import pooled_frames


class RecurrentParser(TaskNetwork):
    """A parser without a stem.

    Subclasses give it three branches, which make segment probabilities (B, T, C) of sequences: ``joint`` of
    (B, T, 2 D), ``audio`` and ``visual`` of (B, T, D).

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features, which stand beside the frames' (ours); 0: none.
        hidden_size: width D of the sequences, half for each direction of an LSTM.

    Raises:
        InputError: ``hidden_size`` is odd.
    """

    joint: nn.Module
    audio: nn.Module
    visual: nn.Module

    def __init__(self, audio_size: int, visual_2d_size: int, visual_3d_size: int, hidden_size: int) -> None:
        super().__init__()
        require_even(hidden_size)
        self._widths = (audio_size, visual_2d_size, visual_3d_size)

    def feature_widths(self) -> tuple[int, int, int] | None:
        """Return the widths of the features that it reads."""
        return self._widths

    def visual_features(self, visual_2d: Tensor, visual_3d: Tensor) -> Tensor:
        """Return the visual features of segments, (B, T, D2 + D3), from frames or segments and clips."""
        return torch.cat((pooled_frames(visual_2d, visual_3d.shape[1]), visual_3d), -1)

    def head(self, audio_sequence: Tensor, visual_sequence: Tensor) -> ParsingOutput:
        """Pool two encoded sequences, (B, T, D) each, into probabilities in (0, 1): maxima over time."""
        joint = self.joint(torch.cat((audio_sequence, visual_sequence), -1))
        segment = torch.stack((self.audio(audio_sequence), self.visual(visual_sequence)), 2)
        audio, visual = segment.amax(1).unbind(1)
        return ParsingOutput(joint.amax(1), audio, visual, segment)
