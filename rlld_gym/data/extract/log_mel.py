"""The log-mel patches that VGGish reads.

Hershey et al., CNN Architectures for Large-Scale Audio Classification, 2017.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE: Final = 16000
"""Samples a second."""
WINDOW: Final = 400
HOP: Final = 160
FFT: Final = 512
"""25 ms, 10 ms, and the power of two above the window, in samples."""
BANDS: Final = 64
LOWEST: Final = 125.0
HIGHEST: Final = 7500.0
"""Hertz, where the first band begins and the last one ends."""
PATCH_FRAMES: Final = 96
"""Frames of a patch: 0.96 s."""
OFFSET: Final = 0.01
"""Added before the logarithm."""
PATCH_SAMPLES: Final = (PATCH_FRAMES - 1) * HOP + WINDOW
"""Samples that a patch is made of: 0.975 s."""


def log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return log(mel + 0.01) of the magnitude spectrum, without padding at the ends.

    Args:
        samples: (..., n) in [-1, 1] at 16 kHz, n at least 400.

    Returns:
        (..., 1 + (n - 400) // 160, 64).
    """
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames = sliding_window_view(samples, WINDOW, axis=-1)[..., ::HOP, :]
    spectrum = np.abs(np.fft.rfft(frames * window, FFT))
    return np.log(spectrum @ mel_weights() + OFFSET).astype(np.float32)


def patches(segments: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the patches of segments; a segment of less than 0.975 s is filled up with silence.

    Args:
        segments: (T, n) samples in [-1, 1] at 16 kHz.

    Returns:
        (T, P, 96, 64): as many whole patches as a segment holds, one after another from its beginning. One second
        holds one.
    """
    missing = max(0, PATCH_SAMPLES - segments.shape[1])
    mel = log_mel(np.pad(segments, ((0, 0), (0, missing))))
    number = mel.shape[1] // PATCH_FRAMES
    return mel[:, : number * PATCH_FRAMES].reshape(len(segments), number, PATCH_FRAMES, BANDS)


@cache
def mel_weights() -> NDArray[np.float64]:
    """Return (257, 64): the weight of each frequency in each band.

    Bands are triangles on the mel scale, 1127 ln(1 + f / 700), that overlap by half; the frequency 0 has no weight.
    """
    frequencies = _mel(np.linspace(0, RATE / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(np.array(LOWEST)), _mel(np.array(HIGHEST)), BANDS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies - lower) / (centre - lower)
    falling = (upper - frequencies) / (upper - centre)
    weights: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    weights.flags.writeable = False
    return weights


def _mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log1p(hertz / 700.0))
