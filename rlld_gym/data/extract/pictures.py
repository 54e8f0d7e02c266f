"""Pictures on their way into a network: resized, cropped, normalised."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Interpolation = Literal["bilinear", "bicubic"]


def resize(picture: Tensor, size: tuple[int, int], interpolation: Interpolation = "bilinear") -> Tensor:
    """Return a uint8 picture (3, H, W) in another size, smoothed where it shrinks."""
    resized = functional.interpolate(
        picture[None].float(), size, mode=interpolation, align_corners=False, antialias=True
    )
    return resized[0].round_().clamp_(0, 255).to(torch.uint8)


def resize_and_crop(
    picture: Tensor, shorter: int, side: int, interpolation: Interpolation = "bilinear"
) -> Tensor:
    """Return the central square (3, side, side) of a picture whose shorter side is resized to ``shorter``."""
    height, width = picture.shape[-2:]
    size = (
        (shorter, shorter * width // height) if height <= width else (shorter * height // width, shorter)
    )  # in whole numbers: a fraction's rounding may lose a pixel
    resized = resize(picture, size, interpolation)
    top, left = round((size[0] - side) / 2), round((size[1] - side) / 2)
    return resized[:, top : top + side, left : left + side].contiguous()


def normalise(pictures: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return float32 (..., 3, H, W): uint8 pictures, brought to [0, 1], minus mean, over standard deviation."""
    shape = (3, 1, 1)
    means = torch.tensor(mean, device=pictures.device).view(shape)
    deviations = torch.tensor(std, device=pictures.device).view(shape)
    return (pictures.float() / 255 - means) / deviations
