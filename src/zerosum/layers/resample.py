"""Convolutions that double or halve a picture's size through the filter [1, 3, 3, 1], so that no grid shows.

Karras et al. 2020 (arXiv 1912.04958), appendix B, after Zhang 2019 (arXiv 1904.11486).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from zerosum.layers.equalised import EqualConv


def blurred(x: Tensor, padding: int) -> Tensor:
    """[n, c, h, w] filtered, 2 * padding - 3 pixels larger each way; zeros lie about it."""
    line = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=x.dtype) / 8
    kernel = torch.outer(line, line).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, kernel, padding=padding, groups=x.shape[1])


def enlarged(x: Tensor, weight: Tensor) -> Tensor:
    """[n, outputs, 2 h, 2 w]: x [n, inputs, h, w] with zeros put between, convolved by weight [outputs, inputs, 3, 3],
    and filtered; as if it had first been enlarged smoothly, at a quarter of the work."""
    return blurred(F.conv_transpose2d(x, 4 * weight.flip(2, 3).transpose(0, 1), stride=2), padding=1)


class HalvingConv(EqualConv):
    """[n, inputs, h, w] to [n, outputs, h / 2, w / 2], rounded up: filtered, then convolved at every other pixel, by a
    kernel of 1 or 3 pixels."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
        return F.conv2d(blurred(x, padding=1 + self.kernel_size[0] // 2), self.used, self.bias, stride=2)
