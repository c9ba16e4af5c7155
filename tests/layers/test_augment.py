"""Augmentation of what a discriminator sees."""

from __future__ import annotations

import math

import pytest
import torch

from zerosum.layers.augment import Augment, rotation, turned


def augment(p: float) -> Augment:
    torch.manual_seed(0)
    module = Augment()
    module.p.fill_(p)
    return module


def test_nothing_is_changed_at_probability_0() -> None:
    x = torch.rand(4, 3, 16, 16)
    assert augment(0.0)(x) is x


def test_as_many_pictures_stay_as_the_probability_leaves() -> None:
    x = torch.rand(2000, 3, 4, 4) * 2 - 1
    same = torch.isclose(augment(0.1)(x), x, atol=1e-4).flatten(1).all(1).float().mean().item()
    # Eleven choices. A flip leaves half of those it is chosen for as they are, turns a quarter of theirs, the luma flip
    # half; the two rotations come, either or both, with probability 0.1.
    kept = 0.9**8 * 0.95**2 * 0.925
    assert same == pytest.approx(kept, abs=0.04)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_kinds_of_pictures_keep_their_shape(channels: int) -> None:
    x = torch.rand(8, channels, 12, 20) * 2 - 1
    found = augment(1.0)(x)
    assert found.shape == x.shape
    assert found.isfinite().all()


def test_transparency_moves_with_the_picture_and_keeps_its_values() -> None:
    x = torch.zeros(8, 4, 16, 16)
    x[:, 3] = 0.5
    found = augment(1.0)(x)
    assert torch.allclose(found[:, 3], torch.full((8, 16, 16), 0.5), atol=1e-5)
    assert found[:, :3].abs().max() > 0.05  # brightness


def test_gradients_reach_the_pictures() -> None:
    x = torch.rand(4, 3, 16, 16, requires_grad=True)
    augment(0.8)(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.flatten(1).any(1).all()


def test_it_is_float32_under_autocast() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert augment(1.0)(torch.rand(4, 3, 8, 8).bfloat16()).dtype == torch.float32


def test_random_numbers_are_torchs() -> None:
    x = torch.rand(4, 3, 16, 16)
    assert torch.equal(augment(0.7)(x), augment(0.7)(x))


def test_rotations() -> None:
    quarter = rotation(torch.tensor([math.pi / 2]))[0] @ torch.tensor([1.0, 0.0])
    assert torch.allclose(quarter, torch.tensor([0.0, 1.0]), atol=1e-6)
    axis = torch.full((3,), 1 / math.sqrt(3))
    third = turned(torch.tensor([2 * math.pi / 3]), axis)[0]
    assert torch.allclose(third @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6)
    assert torch.allclose(third @ axis, axis, atol=1e-6)


def test_a_turned_picture_that_is_not_square_is_not_distorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disc stays a disc: rotation is one of pixels, and not of the sides."""
    rows, columns = torch.meshgrid(torch.arange(32) - 15.5, torch.arange(64) - 31.5, indexing="ij")
    disc = (rows.square() + columns.square() < 64).float().expand(64, 1, 32, 64)
    module = augment(1.0)
    monkeypatch.setattr(module, "_recoloured", lambda x: x)
    monkeypatch.setattr(torch, "randn", lambda n, device: torch.zeros(n))  # no shift but blitting's, no stretching
    found = module(disc)
    whole = (found[:, :, [0, -1]].sum((1, 2, 3)) == 0) & (found[:, :, :, [0, -1]].sum((1, 2, 3)) == 0)
    assert whole.sum() > 10
    for picture in found[whole][:, 0]:
        high, wide = picture.amax(1).sum(), picture.amax(0).sum()
        assert abs(float(high - wide)) < 2.5
