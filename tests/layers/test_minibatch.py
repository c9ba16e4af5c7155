"""What tells a discriminator of its batch, on hand-computed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.layers.minibatch import Deviation, Discrimination, Packed


def test_deviation_is_the_mean_of_the_features_deviations() -> None:
    x = torch.tensor([[0.0, 5.0], [2.0, 5.0]])  # deviations 1 and 0
    assert Deviation()(x)[:, 2].tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
    assert torch.equal(Deviation()(x)[:, :2], x)


def test_deviation_of_equal_pictures_has_a_gradient() -> None:
    x = torch.ones(3, 2, requires_grad=True)
    Deviation()(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_discrimination_is_the_sum_of_nearness() -> None:
    layer = Discrimination(1, kernels=2, dims=2)
    with torch.no_grad():
        layer.T.copy_(torch.tensor([[1.0, 2.0, 0.5, 0.0]]))  # |M_i - M_j| is 3 |x_i - x_j|, and half of |x_i - x_j|
    out = layer(torch.tensor([[0.0], [1.0], [1.0]]))
    first, others = [2 * math.exp(-3), 2 * math.exp(-0.5)], [1 + math.exp(-3), 1 + math.exp(-0.5)]
    assert out[:, 1:].tolist() == [pytest.approx(first), pytest.approx(others), pytest.approx(others)]


def test_discrimination_of_one_alone_is_0() -> None:
    assert Discrimination(3, kernels=2)(torch.randn(1, 3))[0, 3:].tolist() == pytest.approx([0, 0], abs=1e-6)


class Seen(nn.Module):
    """Keeps what it saw."""

    def forward(self, x: Tensor) -> Tensor:
        self.x = x
        return x.flatten(1).sum(1, keepdim=True)


def test_a_pack_holds_its_neighbours_round_about() -> None:
    seen = Seen()
    logits = Packed(seen, 2)(torch.tensor([[1.0], [2.0], [3.0]]))
    assert seen.x.tolist() == [[1, 2], [2, 3], [3, 1]]
    assert logits.shape == (3, 1)


def test_a_pack_of_pictures_lies_in_the_channels() -> None:
    seen = Seen()
    Packed(seen, 3)(torch.randn(4, 2, 5, 5))
    assert seen.x.shape == (4, 6, 5, 5)
