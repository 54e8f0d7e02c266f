"""The streams of features: what each makes of frames or sound, and its network."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from typing import ClassVar, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlld_gym.data.extract.decode import Clip
from rlld_gym.data.extract.sampling import TimeGrid

StreamName = Literal["vggish", "res152", "r2plus1d_18", "clip", "clap"]
STREAMS: Final[tuple[str, ...]] = get_args(StreamName)
"""Names of streams, which are also those of their folders."""
LLP_STREAMS: Final = ("vggish", "res152", "r2plus1d_18")

_HOMES: Final = {
    "vggish": ("llp_streams", "VGGishStream"),
    "res152": ("llp_streams", "ResNetStream"),
    "r2plus1d_18": ("llp_streams", "R2Plus1DStream"),
    "clip": ("language_streams", "ClipStream"),
    "clap": ("language_streams", "ClapStream"),
}


class Stream(ABC):
    """One kind of features: prepares a video's frames or sound in threads, embeds those of many videos at once.

    Args:
        grid: segments and frames.
        weights: "pretrained", "random" or a file.

    Attributes:
        name: of the stream and of its folder.
        kind: "frames" or "sound".
        published: where its pretrained weights are: an address, or a model's name on the Hugging Face hub.
        network: from prepared inputs to embeddings.
    """

    name: ClassVar[str]
    kind: ClassVar[Literal["frames", "sound"]]
    published: ClassVar[str]
    network: nn.Module

    def __init__(self, grid: TimeGrid, weights: str) -> None:
        self.grid = grid

    @property
    @abstractmethod
    def rows(self) -> int:
        """Rows of a video's array: T, or F T."""

    @property
    def frames_of_input(self) -> int:
        """Frames of one input of the network, by which batches are counted."""
        return 1

    @abstractmethod
    def inputs(self, clip: Clip) -> Tensor:
        """Return a video's prepared inputs (rows * P, ...), P for each row, whose embeddings are averaged."""

    @abstractmethod
    def embed(self, inputs: Tensor) -> Tensor:
        """Return (n, D) float32 embeddings of n inputs, on their device."""

    def features(
        self, inputs: Sequence[Tensor], batch: int, device: torch.device
    ) -> list[NDArray[np.float32]]:
        """Return each video's (rows, D) float32 features.

        Args:
            inputs: of some videos, see `inputs`.
            batch: frames, or pieces of sound, in the network at a time.
            device: where the network is.
        """
        pieces = torch.split(torch.cat(list(inputs)), max(1, batch // self.frames_of_input))
        with torch.inference_mode():
            embedded = torch.cat([self.embed(piece.to(device)).float().cpu() for piece in pieces])
        videos = torch.split(embedded, [len(of_one) for of_one in inputs])
        return [video.reshape(self.rows, -1, video.shape[1]).mean(dim=1).numpy() for video in videos]


class FrameStream(Stream):
    """A stream of single frames: a row for each."""

    kind = "frames"

    @property
    def rows(self) -> int:
        """F T."""
        return self.grid.num_frames

    @abstractmethod
    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """Return what is kept of an (H, W, 3) RGB frame: (3, h, w) uint8."""

    def inputs(self, clip: Clip) -> Tensor:
        """Return (F T, 3, h, w) uint8."""
        return torch.stack(list(clip.frames[self.name]))


class SoundStream(Stream):
    """A stream of sound: a row for each segment."""

    kind = "sound"
    rate: ClassVar[int]

    @property
    def rows(self) -> int:
        """T."""
        return self.grid.num_segments

    @abstractmethod
    def prepare(self, segments: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (T P, ...) inputs of the (T, n) samples of the segments."""

    def inputs(self, clip: Clip) -> Tensor:
        """Return (T P, ...) float32."""
        return torch.from_numpy(self.prepare(self.grid.cut_sound(clip.sound[self.rate], self.rate)))


def stream_class(name: str) -> type[Stream]:
    """Return the class of a stream; no optional library is imported."""
    module, kind = _HOMES[name]
    found: type[Stream] = getattr(import_module(f"rlld_gym.data.extract.{module}"), kind)
    return found


def make_stream(name: str, grid: TimeGrid, weights: str) -> Stream:
    """Return a stream with its network, in evaluation mode.

    Raises:
        InputError: its library is not installed, or its weights cannot be had.
    """
    stream = stream_class(name)(grid, weights)
    stream.network.eval().requires_grad_(False)
    return stream


def picture(image: NDArray[np.uint8]) -> Tensor:
    """Return an (H, W, 3) image as (3, H, W)."""
    return torch.from_numpy(image).permute(2, 0, 1)
