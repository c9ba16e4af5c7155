"""Filtered doubling and halving."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from zerosum.layers.resample import HalvingConv, blurred, enlarged


def test_a_point_becomes_the_filter() -> None:
    x = torch.zeros(1, 1, 5, 5)
    x[0, 0, 2, 2] = 64.0
    found = blurred(x, 3)[0, 0]
    line = torch.tensor([1.0, 3.0, 3.0, 1.0])
    assert torch.equal(found[found.any(1)][:, found.any(0)], torch.outer(line, line))


def test_enlarging_is_smooth_enlarging_then_convolving() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 7, 8), torch.randn(4, 3, 3, 3)
    found, wanted = enlarged(x, weight), F.conv2d(F.interpolate(x, scale_factor=2, mode="bilinear"), weight, padding=1)
    assert found.shape == wanted.shape
    assert torch.allclose(found[..., 3:-3, 3:-3], wanted[..., 3:-3, 3:-3], atol=1e-5)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (7, 10), (5, 5)])
def test_halving_rounds_up(kernel: int, size: tuple[int, int]) -> None:
    h, w = size
    assert HalvingConv(2, 3, kernel)(torch.rand(1, 2, h, w)).shape == (1, 3, (h + 1) // 2, (w + 1) // 2)


def test_halving_keeps_an_even_picture() -> None:
    conv = HalvingConv(1, 1, 1)
    torch.nn.init.ones_(conv.weight)
    assert torch.allclose(conv(torch.full((1, 1, 12, 12), 0.5))[..., 1:-1, 1:-1], torch.tensor(0.5))


def test_what_is_in_the_middle_stays_in_the_middle() -> None:
    """A symmetric picture is halved to a symmetric one: neither way is it shifted."""
    x = torch.rand(1, 1, 8, 8)
    x = x + x.flip(3)
    conv = HalvingConv(1, 1, 1)
    torch.nn.init.ones_(conv.weight)
    assert torch.allclose(conv(x), conv(x).flip(3), atol=1e-6)
