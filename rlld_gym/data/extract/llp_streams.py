"""The three streams of LLP's features: VGGish, ResNet-152 and R(2+1)D-18."""

from collections.abc import Callable
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rlld_gym.data.extract.decode import Clip
from rlld_gym.data.extract.libraries import need
from rlld_gym.data.extract.log_mel import BANDS, PATCH_FRAMES, RATE, patches
from rlld_gym.data.extract.pictures import normalise, resize, resize_and_crop
from rlld_gym.data.extract.sampling import TimeGrid
from rlld_gym.data.extract.streams import FrameStream, SoundStream, picture
from rlld_gym.data.extract.vggish import VGGish
from rlld_gym.data.extract.weights import made_with

VGGISH_URL: Final = "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth"
RESNET_URL: Final = "https://download.pytorch.org/models/resnet152-394f9c45.pth"
"""torchvision's ResNet152_Weights.IMAGENET1K_V1."""
R2PLUS1D_URL: Final = "https://download.pytorch.org/models/r2plus1d_18-91a641e6.pth"
"""torchvision's R2Plus1D_18_Weights.KINETICS400_V1."""
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE: Final = 112
"""Of the frames that R(2+1)D-18 reads."""
KINETICS_MEAN, KINETICS_STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)


class VGGishStream(SoundStream):
    """(T, 128): VGGish's embedding of each second, at least 0; longer segments are the mean of their patches."""

    name = "vggish"
    published = VGGISH_URL
    rate = RATE

    def __init__(self, grid: TimeGrid, weights: str) -> None:
        super().__init__(grid, weights)
        self.network = made_with(VGGish, self.name, weights, self.published)

    def prepare(self, segments: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (T P, 96, 64) log-mel patches."""
        return patches(segments).reshape(-1, PATCH_FRAMES, BANDS)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return (n, 128) embeddings of patches."""
        embedded: Tensor = self.network(inputs)
        return embedded


class ResNetStream(FrameStream):
    """(F T, 2048): pooled features of ImageNet's ResNet-152 of each frame, its central square of 224."""

    name = "res152"
    published = RESNET_URL

    def __init__(self, grid: TimeGrid, weights: str) -> None:
        super().__init__(grid, weights)
        models = need("torchvision.models", "the stream res152")
        self.network = _embedding(
            self,
            lambda: models.resnet152(zero_init_residual=True),  # others overflow float16
            weights,
        )

    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """Return (3, 224, 224)."""
        return resize_and_crop(picture(image), 256, 224)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return (n, 2048) embeddings of frames."""
        embedded: Tensor = self.network(normalise(inputs, IMAGENET_MEAN, IMAGENET_STD))
        return embedded


class R2Plus1DStream(FrameStream):
    """(T, 512): pooled features of Kinetics' R(2+1)D-18 of the frames of each segment, resized to 112 x 112."""

    name = "r2plus1d_18"
    published = R2PLUS1D_URL

    def __init__(self, grid: TimeGrid, weights: str) -> None:
        super().__init__(grid, weights)
        video = need("torchvision.models.video", "the stream r2plus1d_18")
        self.network = _embedding(self, video.r2plus1d_18, weights)

    @property
    def rows(self) -> int:
        """T."""
        return self.grid.num_segments

    @property
    def frames_of_input(self) -> int:
        """F."""
        return self.grid.frames_per_segment

    def prepare(self, image: NDArray[np.uint8]) -> Tensor:
        """Return (3, 112, 112)."""
        return resize(picture(image), (SIDE, SIDE))

    def inputs(self, clip: Clip) -> Tensor:
        """Return (T, F, 3, 112, 112) uint8."""
        return torch.stack(list(clip.frames[self.name])).view(self.rows, self.frames_of_input, 3, SIDE, SIDE)

    def embed(self, inputs: Tensor) -> Tensor:
        """Return (n, 512) embeddings of clips."""
        embedded: Tensor = self.network(normalise(inputs, KINETICS_MEAN, KINETICS_STD).transpose(1, 2))
        return embedded


def _embedding(stream: FrameStream, classifier: Callable[[], nn.Module], weights: str) -> nn.Module:
    """Return a network of torchvision without its last layer, which tells classes apart."""

    def make() -> nn.Module:
        network = classifier()
        network.fc = nn.Identity()
        return network

    return made_with(make, stream.name, weights, stream.published, without=("fc.",))
