"""The linear projections with which HAN, and most of what came after it, reads features."""

from torch import Tensor, nn
from torch.nn import functional

from rlld_gym.parsing.networks.parts.products import cheaper_order

FRAMES_PER_SEGMENT = 8


class HANStem(nn.Module):
    """Linear projections of the features to one sequence per modality (Tian et al., ECCV 2020).

    Args:
        audio_size: width of the audio features.
        visual_2d_size: width of the per-frame visual features.
        visual_3d_size: width of the clip features; 0 builds a stem without clip stream and fusion.
        hidden_size: width of both sequences.
    """

    def __init__(self, audio_size: int, visual_2d_size: int, visual_3d_size: int, hidden_size: int) -> None:
        super().__init__()
        self.audio = nn.Linear(audio_size, hidden_size)
        self.visual_2d = nn.Linear(visual_2d_size, hidden_size)
        self.visual_3d: nn.Linear | None = None
        self.fusion: nn.Linear | None = None
        if visual_3d_size > 0:
            self.visual_3d = nn.Linear(visual_3d_size, hidden_size)
            self.fusion = nn.Linear(2 * hidden_size, hidden_size)

    def forward(self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor) -> tuple[Tensor, Tensor]:
        """Project a batch.

        The published order is linear, then mean over the 8 frames of a segment. The two commute, so the mean
        comes first here: equal up to rounding at an eighth of the cost, and features can be stored pooled. The
        visual projections and their fusion are linear too, and are multiplied in the cheaper order.

        Args:
            audio: (B, T, audio_size) float.
            visual_2d: (B, T, visual_2d_size) float, pooled over frames, or (B, 8 T, visual_2d_size).
            visual_3d: (B, T, visual_3d_size) float.

        Returns:
            Audio and visual sequence, (B, T, hidden_size) each.

        Raises:
            ValueError: when the number of frames fits neither form, or a stem without clip stream gets one.
        """
        visual_2d = pooled_frames(visual_2d, audio.shape[1])
        return self.audio(audio), self._visual(visual_2d, visual_3d)

    @property
    def widths(self) -> tuple[int, int, int]:
        """Widths of the audio, visual 2D and visual 3D features that it reads."""
        clips = 0 if self.visual_3d is None else self.visual_3d.in_features
        return self.audio.in_features, self.visual_2d.in_features, clips

    def _visual(self, visual_2d: Tensor, visual_3d: Tensor) -> Tensor:
        if self.visual_3d is None or self.fusion is None:
            if visual_3d.shape[-1] > 0:
                width = visual_3d.shape[-1]
                raise ValueError(f"visual_3d has width {width}: expected 0, as visual_3d_size is 0")
            output: Tensor = self.visual_2d(visual_2d)
            return output
        fuse_2d, fuse_3d = self.fusion.weight.chunk(2, 1)
        bias = self.fusion.bias + fuse_2d @ self.visual_2d.bias + fuse_3d @ self.visual_3d.bias
        part_2d = functional.linear(*cheaper_order(visual_2d, self.visual_2d.weight, fuse_2d), bias)
        return part_2d + functional.linear(*cheaper_order(visual_3d, self.visual_3d.weight, fuse_3d))


def pooled_frames(visual_2d: Tensor, segments: int) -> Tensor:
    """Return one feature a segment: (B, segments, D) of (B, segments, D) or of the frames (B, 8 segments, D).

    Raises:
        ValueError: the number of time steps fits neither form.
    """
    if visual_2d.shape[1] == FRAMES_PER_SEGMENT * segments:
        frames = visual_2d.reshape(len(visual_2d), segments, FRAMES_PER_SEGMENT, visual_2d.shape[-1])
        return frames.mean(2)
    if visual_2d.shape[1] != segments:
        raise ValueError(
            f"visual_2d has {visual_2d.shape[1]} time steps: expected {segments} segments "
            f"or {FRAMES_PER_SEGMENT * segments} frames for audio of {segments} segments"
        )
    return visual_2d
