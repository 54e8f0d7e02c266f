"""CLAP's last feature map as a sequence of segments, as VALOR reads it (Lai, Chen and Wang, NeurIPS 2023)."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from rlld_gym.errors import InputError
from rlld_gym.parsing.networks.han import HANStem

MAP_FREQUENCIES = 2
MAP_TIMES = 32
MAP_ROWS = MAP_FREQUENCIES * MAP_TIMES
"""Rows of a map, (64, 768), frequency by frequency."""
_RESIZED = 1024


def map_segments(clap_map: Tensor, segments: int) -> Tensor:
    """Turn feature maps into features of segments.

    As published: a bicubic resize of time from 32 to 1024 steps, the mean over both frequencies, and adaptive
    average pooling. All of it is linear with weights that add up to 1, so it is one small matrix here, and a linear
    projection of the features may come before or after.

    Args:
        clap_map: (B, 64, D) float.
        segments: T.

    Returns:
        (B, T, D).
    """
    frequencies = clap_map.view(len(clap_map), MAP_FREQUENCIES, MAP_TIMES, clap_map.shape[-1])
    weights = _time_weights(segments).to(device=clap_map.device, dtype=clap_map.dtype)
    return weights @ frequencies.mean(1)


@cache
def _time_weights(segments: int) -> Tensor:
    """Return what each of the 32 time steps contributes to each segment, (T, 32) float64."""
    with torch.inference_mode(False), torch.no_grad():
        impulses = torch.eye(MAP_TIMES, dtype=torch.float64).view(1, MAP_TIMES, 1, MAP_TIMES)
        resized = functional.interpolate(
            impulses.expand(-1, -1, MAP_FREQUENCIES, -1), (MAP_FREQUENCIES, _RESIZED), mode="bicubic"
        )
        return functional.adaptive_avg_pool1d(resized[0, :, 0], segments).mT.contiguous()


class ClapStem(HANStem):
    """HAN's stem, which also takes audio as CLAP's feature maps."""

    def forward(self, audio: Tensor, visual_2d: Tensor, visual_3d: Tensor) -> tuple[Tensor, Tensor]:
        """Project a batch.

        Args:
            audio: (B, 64, audio_size) float, maps, or (B, T, audio_size), features of segments.
            visual_2d: (B, T, visual_2d_size) float, or (B, 8 T, visual_2d_size).
            visual_3d: (B, T, visual_3d_size) float.

        Returns:
            Audio and visual sequence, (B, T, hidden_size) each.

        Raises:
            InputError: audio has another number of rows.
        """
        segments = visual_3d.shape[1]
        if audio.shape[1] != segments:
            if audio.shape[1] != MAP_ROWS:
                raise InputError(
                    f"audio has {audio.shape[1]} rows: expected {segments}, one for each segment, or {MAP_ROWS}, a "
                    "feature map of CLAP"
                )
            audio = map_segments(audio, segments)
        return super().forward(audio, visual_2d, visual_3d)
