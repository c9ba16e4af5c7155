"""CoGAN's equations on hand-computed numbers, and what its networks share."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape, Unpaired
from zerosum.core.game import Clock
from zerosum.games.cogan import CoGAN, Settings

SHAPE = DataShape(32, 32, 3)
BATCH = Unpaired(torch.zeros(2, 3, 32, 32), torch.zeros(2, 3, 32, 32))


def cogan(**settings: bool) -> CoGAN:
    torch.manual_seed(0)
    return CoGAN(Settings(z=4, width=2, **settings), SHAPE)  # type: ignore[arg-type]


def grown_apart() -> CoGAN:
    """One whose second domain is no longer as it began."""
    game = cogan()
    with torch.no_grad():
        for parameter in game.G.heads[1].parameters():
            parameter.add_(torch.randn_like(parameter))
    return game.eval()


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


class Says(nn.Module):
    """Discriminators with fixed logits: for pictures that are all 0, the reals here, and for others."""

    def __init__(self, real: tuple[float, float], fake: tuple[float, float]):
        super().__init__()
        self.real, self.fake = real, fake

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        a, b = self.fake if x.any() else self.real
        return torch.full((len(x), 1), a), torch.full((len(y), 1), b)


def test_the_losses_are_those_of_two_games_added() -> None:
    game = cogan()
    odds = math.log(3)  # the logit of 3/4; that of 1/4 is its negative
    game.D = Says(real=(odds, 0.0), fake=(0.0, -odds))  # type: ignore[assignment]
    loss, notes = game.D_loss(BATCH, Clock())
    assert loss.item() == pytest.approx(-math.log(3 / 4) - math.log(1 / 2) - math.log(1 / 2) - math.log(3 / 4))
    assert notes["D_real"].item() == pytest.approx((-math.log(3 / 4) - math.log(1 / 2)) / 2)
    assert notes["D_fake"].item() == pytest.approx((-math.log(1 / 2) - math.log(3 / 4)) / 2)
    loss, notes = game.G_loss(BATCH, Clock())
    assert loss.item() == pytest.approx(-math.log(1 / 2) - math.log(1 / 4))
    assert notes["G"].item() == pytest.approx(loss.item() / 2)


def test_what_is_shared_counts_once() -> None:
    coupled, twins = cogan(), cogan(shared=False)
    heads, eyes = count(coupled.G.heads), count(coupled.D.eyes)
    assert heads == 2 * count(coupled.G.heads[0])
    assert count(twins.G) == 2 * count(coupled.G) - heads
    assert count(twins.D) == 2 * count(coupled.D) - eyes
    names = [name for name, _ in coupled.named_parameters()]
    assert len(names) == len(coupled.state_dict().keys() & set(names)), "nothing is saved twice"


def test_both_domains_move_what_is_shared_and_each_its_own() -> None:
    game = cogan().eval()
    for net, inputs in (
        (game.G, (torch.randn(3, 4),)),
        (game.D, (torch.randn(3, 3, 32, 32), torch.randn(3, 3, 32, 32))),
    ):
        shared, own = (net.trunks, net.heads) if net is game.G else (net.minds, net.eyes)
        gradients = []
        for domain in (0, 1):
            net.zero_grad()
            net(*inputs)[domain].square().sum().backward()
            gradients.append([parameter.grad for parameter in shared.parameters()])
            assert all(parameter.grad is not None for parameter in own[domain].parameters())
            assert all(parameter.grad is None or not parameter.grad.any() for parameter in own[1 - domain].parameters())
        assert all(torch.any(gradient) for side in gradients for gradient in side)


def test_the_domains_begin_alike_and_twins_do_not() -> None:
    z = torch.randn(2, 4)
    x, y = cogan().eval().G(z)
    assert torch.equal(x, y)
    x, y = cogan(shared=False).eval().G(z)
    assert not torch.equal(x, y)


def test_twins_share_nothing() -> None:
    game = cogan(shared=False)
    game.G(torch.randn(3, 4))[0].sum().backward()
    assert all(parameter.grad is None for parameter in [*game.G.trunks[1].parameters(), *game.G.heads[1].parameters()])
    first, second = game.G.trunks
    assert not torch.equal(next(first.parameters()), next(second.parameters()))


def test_pictures_come_in_couples_of_one_latent() -> None:
    game = grown_apart()
    generator = game.generator().eval()
    rows = generator.latents(5, seed=3)
    assert rows.shape == (5, 5)
    assert rows[:, -1].tolist() == [0, 1, 0, 1, 0]
    assert torch.equal(rows[0, :-1], rows[1, :-1])
    assert not torch.equal(rows[1, :-1], rows[2, :-1])
    pictures = generator(rows)
    x, y = game.G(rows[::2, :-1])
    assert torch.allclose(pictures[::2], x, atol=1e-6)
    assert torch.allclose(pictures[1::2], y[:2], atol=1e-6)
    assert not torch.allclose(pictures[0], pictures[1], atol=1e-3)


def test_no_row_of_a_grid_parts_a_couple() -> None:
    generator = cogan().generator()
    side, gap = 96, 2
    assert generator.grid(9).width == 4 * (side + gap) + gap
    assert generator.grid(16).width == 4 * (side + gap) + gap


def test_a_walk_between_the_domains_changes_over_halfway() -> None:
    generator = grown_apart().generator().eval()
    z = generator.latents(1, seed=0).repeat(4, 1)
    z[:, -1] = torch.tensor([0.0, 0.49, 0.51, 1.0])
    pictures = generator(z)
    assert torch.allclose(pictures[0], pictures[1], atol=1e-6)
    assert torch.allclose(pictures[2], pictures[3], atol=1e-6)
    assert not torch.allclose(pictures[1], pictures[2], atol=1e-3)
