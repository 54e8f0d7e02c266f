"""Log-mel patches against the definition written out, one frequency at a time."""

import math

import numpy as np
import pytest

from rlld_gym.data.extract.log_mel import log_mel, mel_weights, patches


def naive_log_mel(samples: list[float], frame: int) -> list[float]:
    """Return a frame's 64 bands: Hann window, discrete Fourier transform, triangles on the mel scale, logarithm."""
    piece = [
        samples[frame * 160 + index] * (0.5 - 0.5 * math.cos(2 * math.pi * index / 400))
        for index in range(400)
    ]

    def mel(hertz: float) -> float:
        return 1127 * math.log(1 + hertz / 700)

    low, high = mel(125), mel(7500)
    edges = [low + (high - low) * index / 65 for index in range(66)]
    magnitudes = []
    for frequency in range(257):
        angles = [2 * math.pi * frequency * index / 512 for index in range(400)]
        real = sum(value * math.cos(angle) for value, angle in zip(piece, angles, strict=True))
        imaginary = sum(value * math.sin(angle) for value, angle in zip(piece, angles, strict=True))
        magnitudes.append(math.hypot(real, imaginary))
    bands = []
    for band in range(64):
        total = 0.0
        for frequency in range(1, 257):
            place = mel(frequency * 16000 / 512)
            up = (place - edges[band]) / (edges[band + 1] - edges[band])
            down = (edges[band + 2] - place) / (edges[band + 2] - edges[band + 1])
            total += max(0.0, min(up, down)) * magnitudes[frequency]
        bands.append(math.log(total + 0.01))
    return bands


@pytest.mark.parametrize("frame", [0, 5])
def test_a_frame_is_what_the_definition_says(frame: int) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 1300).astype(np.float32)
    ours = log_mel(samples)
    assert ours.shape == (6, 64)
    np.testing.assert_allclose(ours[frame], naive_log_mel(samples.tolist(), frame), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("hertz", [440.0, 1500.0, 6000.0])
def test_a_tone_is_loudest_in_its_band(hertz: float) -> None:
    tone = np.sin(2 * np.pi * hertz * np.arange(16000) / 16000).astype(np.float32)
    loudest = log_mel(tone).argmax(axis=1)
    frequencies = np.tile(np.linspace(0, 8000, 257), (64, 1))
    centres = np.average(frequencies, axis=1, weights=mel_weights().T + 1e-12)
    assert np.abs(centres[loudest] / hertz - 1).max() < 0.08


def test_silence() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(800, np.float32)), math.log(0.01), rtol=1e-6)


@pytest.mark.parametrize(("seconds", "number"), [(0.3, 1), (1.0, 1), (1.9, 1), (2.0, 2), (10.0, 10)])
def test_a_segment_holds_whole_patches(seconds: float, number: int) -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, (2, round(seconds * 16000))).astype(np.float32)
    made = patches(samples)
    assert made.shape == (2, number, 96, 64)
    if seconds >= 1:
        np.testing.assert_array_equal(made[1, -1, -1], log_mel(samples)[1, number * 96 - 1])
    else:
        np.testing.assert_allclose(made[:, 0, 60:], math.log(0.01), rtol=1e-6)
