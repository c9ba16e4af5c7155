"""Layers and sums that fit networks to a picture's size."""

from __future__ import annotations

from torch import Tensor, nn

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
