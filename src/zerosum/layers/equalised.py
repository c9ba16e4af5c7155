"""Layers at an equalised learning rate, and pixel norm: what growing networks and their heirs are made of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class EqualLinear(nn.Linear):
    """A dense layer whose weights are N(0, 1), times gain / sqrt(inputs) where they are used.

    So Adam, whose steps are as large for any weight, moves all layers at one pace (Karras et al. 2018, arXiv
    1710.10196, section 4.1). `pace` slows weights and bias alike (Karras et al. 2019, arXiv 1812.04948, appendix C);
    `bias` is where the bias begins.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0, pace: float = 1.0, bias: float = 0.0):
        super().__init__(inputs, outputs)
        nn.init.normal_(self.weight, 0, 1 / pace)
        nn.init.constant_(self.bias, bias / pace)
        self.scale, self.pace = gain * pace / math.sqrt(inputs), pace

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.pace)


class EqualConv(nn.Conv2d):
    """A convolution that keeps the size, its weights N(0, 1) times gain / sqrt(fan-in) where they are used."""

    def __init__(self, inputs: int, outputs: int, kernel: int, gain: float = 1.0):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)
        nn.init.normal_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)
        self.scale = gain / math.sqrt(inputs * kernel**2)

    @property
    def used(self) -> Tensor:
        """The weights as they are used, [outputs, inputs, kernel, kernel]."""
        return self.weight * self.scale

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.used, self.bias)


class PixelNorm(nn.Module):
    """Each pixel's features [n, c, ...] brought to a mean square of 1 (Karras et al. 2018, section 4.2)."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-8).to(x.dtype)
