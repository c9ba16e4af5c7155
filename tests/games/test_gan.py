"""GAN's equations on hand-computed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape, Images, Table
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.games.gan import GAN, Settings, perceptron
from zerosum.losses.adversarial import minimax, says_real

GREY, ROWS = DataShape(8, 8, 1), DataShape(1, 5, 1)


class Fixed(nn.Module):
    """Answers with these logits in turn, whatever it sees."""

    def __init__(self, *logits: float):
        super().__init__()
        self.logits = list(logits)

    def forward(self, x: Tensor) -> Tensor:
        self.logits.append(self.logits.pop(0))
        return torch.full((len(x), 1), self.logits[-1])


def gan(*logits: float, **settings: str) -> tuple[GAN, Images]:
    game = GAN(Settings(z=4, width=8, **settings), GREY)  # type: ignore[arg-type]
    game.D = Fixed(*logits)  # type: ignore[assignment]
    return game, Images(torch.zeros(2, 1, 8, 8))


def test_discriminators_loss_is_algorithm_1() -> None:
    game, batch = gan(math.log(3), math.log(1 / 4))  # D(x) = 3/4, D(G(z)) = 1/5
    loss, notes = game.D_loss(batch, Clock())
    assert float(loss) == pytest.approx(-math.log(3 / 4) - math.log(4 / 5))
    assert float(notes["D_fake"]) == pytest.approx(-math.log(4 / 5))


def test_the_generators_two_losses() -> None:
    game, batch = gan(math.log(1 / 4))
    assert float(game.G_loss(batch, Clock())[0]) == pytest.approx(-math.log(1 / 5))
    game, batch = gan(math.log(1 / 4), loss="minimax")
    assert float(game.G_loss(batch, Clock())[0]) == pytest.approx(math.log(4 / 5))


def test_minimax_saturates_where_the_other_pushes() -> None:
    """The gradients at a logit l are -D and -(1 - D): at D = 1/100, one is 99 times the other."""
    for loss, slope in ((minimax, -0.01), (says_real, -0.99)):
        logit = torch.tensor([math.log(1 / 99)], requires_grad=True)
        (gradient,) = torch.autograd.grad(loss(logit), logit)
        assert gradient.item() == pytest.approx(slope)


def test_k_steps_of_D_to_one_of_G() -> None:
    turns = GAN(Settings(n_critic=3), GREY).turns()
    assert [(turn.players, turn.times, turn.draws) for turn in turns] == [("D", 3, True), ("G", 1, False)]


@torch.no_grad()
def with_large_numbers(shape: DataShape) -> GAN:
    """A game whose G ends in a layer that gives about 30 in every place."""
    game = GAN(Settings(z=4, width=8), shape)
    last = next(layer for layer in reversed(game.G) if isinstance(layer, nn.Linear))
    last.bias.fill_(30.0)
    return game


def test_pictures_lie_between_bounds_and_rows_do_not() -> None:
    made = with_large_numbers(GREY).fakes(3)
    assert made.shape == (3, 1, 8, 8)
    assert made.detach().max() <= 1
    made = with_large_numbers(ROWS).fakes(3)
    assert made.shape == (3, 5)
    assert made.detach().min() > 10


def test_it_plays_on_a_tables_rows() -> None:
    game = GAN(Settings(z=4, width=8), ROWS)
    game.D = Fixed(0.0)  # type: ignore[assignment]
    assert float(game.D_loss(Table(torch.zeros(3, 5)), Clock())[0]) == pytest.approx(2 * math.log(2))


def test_a_perceptron_ends_without_an_activation() -> None:
    net = perceptron([3, 7, 2])
    assert [type(layer) for layer in net] == [nn.Linear, nn.LeakyReLU, nn.Linear]
    assert sum(p.numel() for p in net.parameters()) == (3 + 1) * 7 + (7 + 1) * 2


def test_batch_norm_is_for_pictures_and_for_G_alone() -> None:
    def norms(net: nn.Module) -> int:
        return sum(isinstance(module, nn.BatchNorm1d) for module in net.modules())

    pictures, table = GAN(Settings(z=4, width=8), GREY), GAN(Settings(z=4, width=8), ROWS)
    assert [norms(net) for net in (pictures.G, pictures.D, table.G, table.D)] == [2, 0, 0, 0]


@pytest.mark.parametrize("setting", [{"n_critic": 0}, {"z": 0}, {"beta1": 1.0}])
def test_settings_out_of_range_are_refused(setting: dict) -> None:
    with pytest.raises(Refusal, match=f"--{next(iter(setting))}"):
        Settings(**setting)
