"""VGGish (Hershey et al., CNN Architectures for Large-Scale Audio Classification, 2017), up to its embedding."""

from typing import Final

from torch import Tensor, nn

from rlld_gym.data.extract.log_mel import BANDS, PATCH_FRAMES

EMBEDDING_SIZE: Final = 128
_CHANNELS: Final = (64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool")
_SHRINKS: Final = 16


class VGGish(nn.Module):
    """From log-mel patches to embeddings, before PCA and quantisation, as in LLP's features.

    Names of the weights are those of the PyTorch conversion of the published ones (``features.0.weight`` to
    ``embeddings.4.bias``).
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels in _CHANNELS:
            if isinstance(channels, int):
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
                before = channels
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        flat = before * (PATCH_FRAMES // _SHRINKS) * (BANDS // _SHRINKS)
        self.embeddings = nn.Sequential(
            nn.Linear(flat, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, EMBEDDING_SIZE),
            nn.ReLU(inplace=True),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Return (n, 128) embeddings, at least 0, of (n, 96, 64) log-mel patches."""
        maps: Tensor = self.features(patches[:, None])
        embedded: Tensor = self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))  # channels last, as published
        return embedded
