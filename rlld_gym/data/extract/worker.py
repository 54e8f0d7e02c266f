"""From paths of videos to their features: all that one process, here or on another machine, does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlld_gym.data.extract.decode import Clip, decode
from rlld_gym.data.extract.libraries import need
from rlld_gym.data.extract.notes import Note, UndecodableVideoError
from rlld_gym.data.extract.sampling import LLP_GRID, TimeGrid
from rlld_gym.data.extract.streams import (
    LLP_STREAMS,
    STREAMS,
    FrameStream,
    SoundStream,
    Stream,
    make_stream,
    stream_class,
)
from rlld_gym.data.extract.weights import PRETRAINED, identity
from rlld_gym.devices import choose_device
from rlld_gym.errors import InputError
from rlld_gym.os_errors import one_line

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ExtractOptions:
    """What to extract, and how. Pickles.

    Attributes:
        grid: segments and frames.
        streams: names, see `rlld_gym.data.extract.streams.STREAMS`.
        weights: stream -> "pretrained", "random" or a file; streams that are not named are pretrained.
        device: of the networks: "auto", "cpu", "cuda", ...
        batch: frames, or pieces of sound, that a network reads at a time.

    Raises:
        InputError: an unknown stream, none, one twice, or a batch below 1.
    """

    grid: TimeGrid = LLP_GRID
    streams: tuple[str, ...] = LLP_STREAMS
    weights: Mapping[str, str] | None = None
    device: str = "auto"
    batch: int = 80

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        if not self.streams or len(set(self.streams)) < len(self.streams) or set(self.streams) - set(STREAMS):
            raise InputError(
                f"streams {', '.join(self.streams) or '(none)'}: expected one or more of {', '.join(STREAMS)}, once"
            )
        if self.batch < 1:
            raise InputError(f"batch {self.batch}: expected at least 1")

    def source(self, stream: str) -> str:
        """Return where a stream's weights come from."""
        return (self.weights or {}).get(stream, PRETRAINED)

    def described(self) -> dict[str, Any]:
        """Return what features depend on, as JSON: the grid, and each stream's weights."""
        grid = {
            "segments": self.grid.num_segments,
            "segment_seconds": self.grid.segment_seconds,
            "frames_per_second": self.grid.frames_per_second,
        }
        weights = {s: identity(self.source(s), stream_class(s).published) for s in self.streams}
        return {**grid, "weights": weights}


@dataclass(frozen=True)
class VideoFeatures:
    """What became of a video.

    Attributes:
        video: name of its file, without the ending.
        arrays: stream -> (rows, D) float32; empty where no picture could be decoded.
        notes: what was not as asked; for an empty one, why.
    """

    video: str
    arrays: Mapping[str, NDArray[np.float32]]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """A decoded video: stream -> inputs of its network; empty where no picture could be decoded."""

    video: str
    inputs: Mapping[str, "Tensor"]
    notes: tuple[Note, ...]


def made_streams(options: ExtractOptions) -> Iterator[Stream]:
    """Yield the streams with their networks, on the CPU, one after the other.

    Raises:
        InputError: a library is not installed, or weights cannot be had.
    """
    need("av", "decoding videos")
    for name in options.streams:
        yield make_stream(name, options.grid, options.source(name))


class FeatureExtractor:
    """Holds the networks; a call makes the features of some videos.

    Args:
        options: what to extract.

    Raises:
        InputError: a library is not installed, weights cannot be had, or the device is not usable.
    """

    def __init__(self, options: ExtractOptions) -> None:
        self.options = options
        self.device = choose_device(options.device)
        self.streams: list[Stream] = []
        for stream in made_streams(options):
            stream.network.to(self.device)
            self.streams.append(stream)

    def __call__(self, paths: Sequence[Path]) -> list[VideoFeatures]:
        """Return the features of videos, in their order; broken ones do not stop the others."""
        return self.embed([self.prepare(path) for path in paths])

    def prepare(self, path: Path) -> Prepared:
        """Decode a video, as far as the streams need it; threads may do so side by side."""
        frame_streams = {s.name: s.prepare for s in self.streams if isinstance(s, FrameStream)}
        rates = sorted({s.rate for s in self.streams if isinstance(s, SoundStream)})
        try:
            clip: Clip = decode(path, self.options.grid, frame_streams, rates)
            return Prepared(path.stem, {s.name: s.inputs(clip) for s in self.streams}, clip.notes)
        except UndecodableVideoError as error:
            reason = str(error)
        except InputError:
            raise
        except Exception as error:  # whatever a file does to the libraries, it concerns no other one
            reason = f"{path}: cannot be decoded ({type(error).__name__}: {one_line(error)})"
        return Prepared(path.stem, {}, (Note(path.stem, "failed", reason),))

    def embed(self, videos: Sequence[Prepared]) -> list[VideoFeatures]:
        """Return the features of decoded videos, in their order."""
        decoded = [video for video in videos if video.inputs]
        arrays: list[dict[str, NDArray[np.float32]]] = [{} for _ in decoded]
        for stream in self.streams if decoded else ():
            inputs = [video.inputs[stream.name] for video in decoded]
            for of_video, features in zip(
                arrays, stream.features(inputs, self.options.batch, self.device), strict=True
            ):
                of_video[stream.name] = features
        found = {id(video): made for video, made in zip(decoded, arrays, strict=True)}
        return [VideoFeatures(video.video, found.get(id(video), {}), video.notes) for video in videos]
