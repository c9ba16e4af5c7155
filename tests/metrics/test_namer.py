"""Classes told by a random convolution's features."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from zerosum.metrics.namer import Namer, small


def striped(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise, with stripes that lie (class 0), that stand (1), or with none and a code by chance (2 or 3)."""
    random = torch.Generator().manual_seed(seed)
    x, y = 0.3 * torch.randn(n, 3, 32, 32, generator=random), torch.randint(4, (n,), generator=random)
    x[y == 0, :, ::4] += 1
    x[y == 1, :, :, ::4] += 1
    return x.clamp(-1, 1), y


@pytest.fixture(scope="module")
def namer() -> Namer:
    return Namer(*striped(800, 0))


def test_what_differs_is_told_and_what_does_not_is_not_followed(namer: Namer) -> None:
    x, y = striped(400, 1)
    told = namer.told(x)
    assert (told[y < 2] == y[y < 2]).float().mean() > 0.95
    assert list(namer.followed) == [0, 1]


def test_shares_are_those_of_the_data_and_a_class_that_is_left_out_has_none(namer: Namer) -> None:
    x, y = striped(800, 2)
    shares, told = namer.shares(x)
    assert shares[:2] == pytest.approx([1, 1], abs=0.25)
    assert 300 < told <= 800
    shares, _ = namer.shares(x[y != 1])
    assert shares[1] < 0.05


def test_small_pictures_stay_as_they_are_and_grey_ones_are_taken() -> None:
    x = torch.rand(4, 3, 16, 16)
    assert torch.equal(small(x), x)
    x, y = striped(200, 3)
    assert len(Namer(x[:, :1], y).told(x[:7, :1])) == 7


def test_where_nothing_can_be_told_nothing_is_followed() -> None:
    x, _ = striped(800, 4)
    assert Namer(x, torch.randint(3, (800,), generator=torch.Generator().manual_seed(4))).followed == {}


def test_of_too_few_pictures_nothing_is_followed() -> None:
    assert Namer(*striped(60, 5)).followed == {}


def test_what_lies_between_two_classes_is_no_witness(namer: Namer) -> None:
    x, y = striped(400, 1)
    between = torch.stack([(a + b) / 2 for a, b in zip(x[y == 0], x[y == 1], strict=False)])
    assert (namer.told(between) < 0).float().mean() > 0.7
    assert (namer.told(x[y == 0]) < 0).float().mean() < 0.05
