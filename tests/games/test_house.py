"""House's equations on hand-computed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from zerosum.core.batch import DataShape, Images
from zerosum.core.game import Clock
from zerosum.games.house import House, Settings


def house(**settings: float) -> House:
    torch.manual_seed(0)
    return House(Settings(z=4, width=2, **settings), DataShape(32, 32, 3))  # type: ignore[arg-type]


def linear_judge(weight: float) -> nn.Module:
    """D(x) = weight * the sum of x: its gradient's square is weight^2 times the number of values."""
    judge = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 1, bias=False))
    nn.init.constant_(judge[1].weight, weight)
    return judge


def test_R1_is_half_gamma_times_the_squared_gradient() -> None:
    game = house(gamma=3.0, lazy=5)
    game.D = linear_judge(0.01)  # type: ignore[assignment]
    loss, notes = game.R1(Images(torch.rand(2, 3, 32, 32)), Clock())
    square = 0.01**2 * 3 * 32 * 32
    assert notes["R1"].item() == pytest.approx(square, rel=1e-5)
    assert loss.item() == pytest.approx(5 * 3.0 / 2 * square, rel=1e-5)


def test_R1_reaches_the_discriminators_weights() -> None:
    game = house()
    game.D = linear_judge(0.01)  # type: ignore[assignment]
    loss, _ = game.R1(Images(torch.rand(2, 3, 32, 32)), Clock())
    loss.backward()
    gradient = next(game.D.parameters()).grad
    assert gradient is not None
    expected = game.config.lazy * game.config.gamma * 0.01  # d/dw of lazy * gamma / 2 * sum of w^2
    assert gradient[0, 0].item() == pytest.approx(expected, rel=1e-5)


def test_losses_at_an_undecided_discriminator_are_log_2() -> None:
    game = house()
    game.D = linear_judge(0.0)  # type: ignore[assignment]
    batch = Images(torch.rand(2, 3, 32, 32))
    assert game.D_loss(batch, Clock())[0].item() == pytest.approx(2 * math.log(2))
    assert game.G_loss(batch, Clock())[0].item() == pytest.approx(math.log(2))


def test_no_gamma_no_turn() -> None:
    assert [turn.players for turn in house(gamma=0.0).turns()] == ["D", "G"]
    assert [(turn.every, turn.draws) for turn in house().turns()] == [(1, True), (16, False), (1, False)]


def test_the_discriminator_judges_each_picture_alone() -> None:
    game, x = house(), torch.rand(4, 3, 32, 32)
    assert torch.allclose(game.D(x)[:1], game.D(x[:1]), atol=1e-6)
