"""Video files made for tests: a colour and a tone in each second."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av")

Colour = tuple[int, int, int]
COLOURS: Sequence[Colour] = [
    (200, 40, 40),
    (40, 200, 40),
    (40, 40, 200),
    (190, 190, 40),
    (40, 190, 190),
    (190, 40, 190),
]
TONES: Sequence[float] = [300.0, 600.0, 1200.0, 2400.0, 4800.0, 900.0]
SOUND_RATE = 44100


def write_clip(
    path: Path,
    seconds: float = 3.0,
    *,
    frame_rate: float = 25.0,
    times: Sequence[float] | None = None,
    sound: bool = True,
    sound_begin: float = 0.0,
    sound_seconds: float | None = None,
    pictures: bool = True,
    layout: str = "stereo",
    size: tuple[int, int] = (64, 48),
    codec: str = "mpeg4",
) -> Path:
    """Write a video whose second s has the colour and the tone of number s.

    Args:
        path: the file; its ending chooses the container.
        seconds: length.
        frame_rate: of the pictures.
        times: when each picture begins, in place of a fixed rate.
        sound: whether there is a track of sound.
        sound_begin: when it begins.
        sound_seconds: when it ends; None: with the video.
        pictures: whether there is a track of pictures.
        layout: of the channels.
        size: width and height.
        codec: of the pictures.
    """
    instants = np.arange(0, seconds - 1e-9, 1 / frame_rate).tolist() if times is None else list(times)
    container = av.open(str(path), "w")
    with container:
        video = (
            container.add_stream(codec, rate=Fraction(frame_rate).limit_denominator(1001))
            if pictures
            else None
        )
        speech = container.add_stream("aac", rate=SOUND_RATE, layout=layout) if sound else None
        if video is not None:
            video.width, video.height = size
            video.pix_fmt = "yuv420p"
            video.time_base = video.codec_context.time_base = Fraction(1, 30000)
            for instant in instants:
                frame = av.VideoFrame.from_ndarray(picture(instant, size), format="rgb24")
                frame.pts, frame.time_base = round(instant * 30000), Fraction(1, 30000)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if speech is not None:
            samples = tones(sound_seconds or seconds)[round(sound_begin * SOUND_RATE) :]
            for start in range(0, len(samples), 1024):
                part = np.tile(samples[start : start + 1024], (2 if layout == "stereo" else 1, 1))
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), format="fltp", layout=layout)
                frame.sample_rate = SOUND_RATE
                frame.pts = start + round(sound_begin * SOUND_RATE)
                frame.time_base = Fraction(1, SOUND_RATE)
                container.mux(speech.encode(frame))
            container.mux(speech.encode(None))
    return path


def picture(instant: float, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """Return the picture of an instant: one colour, with a left upper corner that is nearly white."""
    image = np.full((size[1], size[0], 3), COLOURS[int(instant + 1e-6) % len(COLOURS)], np.uint8)
    image[: size[1] // 3, : size[0] // 3] = 210 + round(instant * 100) % 40
    return image


def tones(seconds: float, rate: int = SOUND_RATE) -> NDArray[np.float32]:
    """Return (n,) samples: a tone in each second."""
    instants = np.arange(round(seconds * rate)) / rate
    pitch = np.take(TONES, instants.astype(int), mode="wrap")
    return (0.5 * np.sin(2 * np.pi * pitch * instants)).astype(np.float32)


def turn(path: Path) -> None:
    """Write into an mp4 file that it is to be shown turned by 90 degrees clockwise, as telephones do."""
    content = path.read_bytes()
    place = content.index(b"tkhd") + 4 + 40  # version 0: the matrix follows 40 bytes of other things
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)
    path.write_bytes(content[:place] + turned + content[place + 36 :])
