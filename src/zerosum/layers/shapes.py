"""Layers and sums that fit networks to a picture's size."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.core.batch import DataShape


def halved(size: int, times: int) -> int:
    """What is left of `size` after so many halvings of a stride-2 convolution (kernel 4, padding 1): floors."""
    return size >> times


def doublings(shape: DataShape, smallest: int = 4) -> tuple[int, int, int]:
    """How often the shorter side halves until it is `smallest` or just above, and the height and width then.

    Height and width are rounded up, so that so many doublings cover the whole picture.
    """
    times = max(1, (min(shape.height, shape.width) // smallest).bit_length() - 1)
    return times, -(-shape.height // 2**times), -(-shape.width // 2**times)


def scales(shape: DataShape) -> list[tuple[int, int]]:
    """The heights and widths at which a picture is seen, from `doublings`' coarsest to its own; halves rounded up."""
    times, _, _ = doublings(shape)
    return [(-(-shape.height // 2**k), -(-shape.width // 2**k)) for k in range(times, -1, -1)]


def doubled(x: Tensor, size: tuple[int, int]) -> Tensor:
    """[n, c, h, w], each pixel become four, cut to `size`: the next of `scales`."""
    return F.interpolate(x, scale_factor=2)[:, :, : size[0], : size[1]]


def averaged(x: Tensor) -> Tensor:
    """[n, c, H, W] at the scale before: the mean of each four pixels, of what there is at odd edges."""
    return F.avg_pool2d(x, 2, ceil_mode=True)


class Reshape(nn.Module):
    """[n, c * h * w] to [n, c, h, w]."""

    def __init__(self, channels: int, height: int, width: int):
        super().__init__()
        self.size = (channels, height, width)

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(1, self.size)


class Crop(nn.Module):
    """The upper left corner of [n, c, H, W], height x width pixels: all of it where the sizes agree."""

    def __init__(self, height: int, width: int):
        super().__init__()
        self.height, self.width = height, width

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, : self.height, : self.width]
