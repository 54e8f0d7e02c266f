"""Decoding a video file with PyAV: its frames at a fixed rate, its sound at given rates, and what was wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.extract.notes import Kind, Note, UndecodableVideoError
from rlld_gym.data.extract.sampling import TimeGrid
from rlld_gym.os_errors import explain, one_line

if TYPE_CHECKING:
    from torch import Tensor

PrepareFrame = Callable[[NDArray[np.uint8]], "Tensor"]
"""From (H, W, 3) RGB to what a network reads, small and uint8."""

SOUND_GAP_SECONDS: Final = 0.02
"""Sound whose time differs by more from the end of what came before is put where its time says."""


@dataclass(frozen=True)
class Clip:
    """A decoded video.

    Attributes:
        frames: stream -> its prepared frames, F T of them; each is the frame on the screen in the middle of its
            1/8 second (of its 1/`frames_per_second`).
        sound: rate -> (T segments,) mono float32 samples in [-1, 1]; silence where there is none.
        notes: what is not as asked.
    """

    frames: Mapping[str, "Sequence[Tensor]"]
    sound: Mapping[int, NDArray[np.float32]]
    notes: tuple[Note, ...]


def decode(path: Path, grid: TimeGrid, prepare: Mapping[str, PrepareFrame], rates: Sequence[int]) -> Clip:
    """Decode what the streams need of a video, and no more than the grid's time and half a segment.

    Args:
        path: the file.
        grid: segments and frames.
        prepare: stream -> what it does with a frame at once, so that large frames are not kept.
        rates: of the sound; none: sound is not decoded.

    Raises:
        UndecodableVideoError: no picture can be had.
    """
    notes: list[Note] = []

    def note(kind: Kind, detail: str) -> None:
        notes.append(Note(path.stem, kind, detail))

    from av.error import FFmpegError  # noqa: PLC0415 (an optional library)

    try:
        frames = _frames(path, grid, prepare, note) if prepare else {}
        sound = _sound(path, grid, rates, note) if rates else {}
    except FFmpegError as error:
        raise UndecodableVideoError(
            f"{path}: cannot be decoded ({one_line(error)}); it is damaged"
        ) from error
    return Clip(frames, sound, tuple(notes))


AddNote = Callable[[Kind, str], None]


@dataclass
class _Reader:
    """The frames of one track of an open file; wrong packets are counted and left out."""

    container: Any
    track: Any
    damaged: int = 0
    _fallback: float = field(default=0.0, init=False)

    def __iter__(self) -> Iterator[tuple[float, Any]]:
        """Yield (seconds from the file's beginning, frame) in order of display."""
        from av.error import FFmpegError  # noqa: PLC0415 (an optional library)

        begin = (self.container.start_time or 0) / 1e6
        packets = self.container.demux(self.track)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:  # the rest of the file cannot be read
                self.damaged += 1
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                self.damaged += bool(frame.is_corrupt)
                time = self._fallback if frame.time is None else frame.time - begin
                self._fallback = time + self.length(frame)
                yield time, frame

    def length(self, frame: Any) -> float:
        """Return the seconds that a frame lasts, by its own word or by the track's rate."""
        if getattr(frame, "samples", 0):
            return float(frame.samples / frame.sample_rate)
        if frame.duration and frame.time_base:
            return float(frame.duration * frame.time_base)
        rate = self.track.average_rate or self.track.guessed_rate
        return 1 / float(rate) if rate else 0.0


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file; UndecodableVideoError where that fails."""
    import av  # noqa: PLC0415 (an optional library)
    from av.error import FFmpegError  # noqa: PLC0415

    try:
        container = av.open(str(path), metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        why = explain(error) if isinstance(error, PermissionError | FileNotFoundError) else None
        raise UndecodableVideoError(
            f"{path}: {why or 'cannot be opened as a video (' + one_line(error) + '); it is damaged or no video'}"
        ) from error
    with container:
        yield container


def _frames(
    path: Path, grid: TimeGrid, prepare: Mapping[str, PrepareFrame], note: AddNote
) -> "dict[str, list[Tensor]]":
    """Return each stream's F T prepared frames."""
    with _opened(path) as container:
        tracks = [track for track in container.streams.video if not _is_cover(track)]
        if not tracks:
            raise UndecodableVideoError(f"{path}: has no pictures, only sound or nothing; expected a video")
        reader = _Reader(container, tracks[0])
        ticks: list[dict[str, Tensor]] = []
        end = 0.0
        for picture, until in _shown(reader):
            end = until
            number = min(_ticks_before(until, grid), grid.most_frames + 1) - len(ticks)
            if number > 0:
                image = _upright(picture)
                ticks += [{stream: function(image) for stream, function in prepare.items()}] * number
            if len(ticks) > grid.most_frames:
                break
        length = max(end, (container.duration or 0) / 1e6)
    if not ticks:
        wrong = f" ({reader.damaged} damaged packets)" if reader.damaged else ""
        raise UndecodableVideoError(f"{path}: no picture can be decoded{wrong}; it is damaged or empty")
    if reader.damaged:
        note("damaged", f"{reader.damaged} packets or pictures; the picture before stands for each")
    if len(ticks) > grid.most_frames:
        note("longer", f"{length:.1f} s; the first {grid.seconds:g} s were taken")
    elif grid.is_shorter(len(ticks)):
        note(
            "shorter", f"pictures end at {end:.1f} s of {grid.seconds:g} s; the last one stands for the rest"
        )
    chosen = [ticks[index] for index in grid.frame_indices(len(ticks))]
    return {stream: [tick[stream] for tick in chosen] for stream in prepare}


def _shown(reader: _Reader) -> Iterator[tuple[Any, float]]:
    """Yield (picture, seconds until which it is on the screen); the first one is there from the beginning."""
    before, since = None, -np.inf
    for time, picture in reader:
        if before is not None and time <= since:  # a clock that goes back, in a damaged file
            continue
        if before is not None:
            yield before, time
        before, since = picture, time
    if before is not None:
        yield before, since + reader.length(before)


def _ticks_before(seconds: float, grid: TimeGrid) -> int:
    """Return how many middles of 1/`frames_per_second` come before a time."""
    return max(0, int(np.ceil(min(seconds, 2 * grid.seconds + 1) * grid.frames_per_second - 0.5)))


def _upright(picture: Any) -> NDArray[np.uint8]:
    """Return a picture as (H, W, 3) RGB, turned as its file says."""
    image: NDArray[np.uint8] = picture.to_ndarray(format="rgb24")
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _is_cover(track: Any) -> bool:
    """Return whether a track is a still picture that illustrates the sound."""
    return "attached_pic" in str(track.disposition).lower()


def _sound(path: Path, grid: TimeGrid, rates: Sequence[int], note: AddNote) -> dict[int, NDArray[np.float32]]:
    """Return the sound of the grid's time at each rate."""
    with _opened(path) as container:
        tracks = container.streams.audio
        reader = _Reader(container, tracks[0]) if tracks else None
        samples, rate, end = _mono(reader, grid.seconds) if reader is not None else (None, 1, 0.0)
    if samples is None:
        note("no sound", "silence stands for it")
        return {wanted: np.zeros(round(grid.seconds * wanted), np.float32) for wanted in rates}
    if reader is not None and reader.damaged:
        note("damaged", f"{reader.damaged} packets of sound; silence stands for them")
    if end < grid.seconds - grid.segment_seconds / 2:
        note("short sound", f"ends at {end:.1f} s of {grid.seconds:g} s; silence stands for the rest")
    return {wanted: _resampled(samples, rate, wanted, grid.seconds) for wanted in rates}


def _mono(reader: _Reader, seconds: float) -> tuple[NDArray[np.float32] | None, int, float]:
    """Return (samples, their rate, when the sound ends); None where nothing can be decoded.

    Samples lie where their time says, so that a gap is silence; a little follows the end for the resampler.
    """
    from av import AudioResampler  # noqa: PLC0415 (an optional library)

    buffer: NDArray[np.float32] | None = None
    mixer: Any = None
    form, rate, place, end = None, 1, 0, 0.0
    for time, frame in reader:
        if form != (frame.format.name, frame.layout.name, frame.sample_rate):
            if buffer is not None and frame.sample_rate != rate:  # another rate in the middle of a file
                reader.damaged += 1
                continue
            form, rate = (frame.format.name, frame.layout.name, frame.sample_rate), frame.sample_rate
            mixer = AudioResampler(format="fltp", layout="mono", rate=rate)
        if buffer is None:
            buffer = np.zeros(round((seconds + 0.5) * rate), np.float32)
            place = round(time * rate)
        if abs(time * rate - place) > SOUND_GAP_SECONDS * rate:
            place = round(time * rate)
        frame.pts = None  # the place is ours to know
        for mixed in mixer.resample(frame):
            place = _put(buffer, place, mixed.to_ndarray()[0])
        end = max(end, place / rate)
        if place >= len(buffer):
            break
    return buffer, rate, end


def _put(buffer: NDArray[np.float32], place: int, samples: NDArray[np.float32]) -> int:
    """Write samples into a buffer at a place, as far as they lie in it; return the place behind them."""
    behind = place + len(samples)
    first, last = max(0, place), min(behind, len(buffer))
    if last > first:
        buffer[first:last] = samples[first - place : last - place]
    return behind


def _resampled(samples: NDArray[np.float32], rate: int, wanted: int, seconds: float) -> NDArray[np.float32]:
    """Return (seconds * wanted,) samples at another rate."""
    from av import AudioFrame, AudioResampler  # noqa: PLC0415 (an optional library)

    length = round(seconds * wanted)
    found = samples
    if rate != wanted:
        frame = AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = rate
        resampler = AudioResampler(format="fltp", layout="mono", rate=wanted)
        parts = [*resampler.resample(frame), *resampler.resample(None)]
        found = np.concatenate([part.to_ndarray()[0] for part in parts])
    found = np.clip(found[:length], -1.0, 1.0)
    return np.pad(found, (0, length - len(found)))
