"""CLAP's feature maps of a video, brought to one vector a segment."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

CLAP_FREQUENCIES = 2
CLAP_TIMES = 32
_FINE_STEPS = 1024


def pool_clap_map(clap_map: Tensor, segments: int) -> Tensor:
    """Resize CLAP's last feature map to segments, as VALOR++ does before anything else (Lai et al., NeurIPS 2023).

    The published order is: resize bicubically along time to 1024 steps, project linearly, average both frequencies,
    then average adaptively over time. Everything but the projection is a fixed average whose weights sum to one, so
    it commutes with the projection. It comes first here: equal up to rounding, and a store can hold features that
    are pooled already.

    Args:
        clap_map: (B, 64, D) float; row 32 * frequency + time.
        segments: T.

    Returns:
        (B, T, D).
    """
    by_time = clap_map.reshape(len(clap_map), CLAP_FREQUENCIES, CLAP_TIMES, -1).mean(1)
    pooled: Tensor = _time_weights(segments).to(by_time) @ by_time
    return pooled


@cache
def _time_weights(segments: int) -> Tensor:
    """Return (T, 32) float64 weights of the map's time steps in each segment; rows sum to one."""
    impulses = torch.eye(CLAP_TIMES, dtype=torch.float64).view(CLAP_TIMES, 1, 1, CLAP_TIMES)
    fine = functional.interpolate(impulses, size=(1, _FINE_STEPS), mode="bicubic", align_corners=False)
    return functional.adaptive_avg_pool1d(fine.view(CLAP_TIMES, _FINE_STEPS), segments).mT.contiguous()
