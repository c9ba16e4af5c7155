"""What the lessons of gan and wgan_gp are made with."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from zerosum.bench._curves import Curves, draw
from zerosum.bench._moves import moved
from zerosum.bench.gan import Pool
from zerosum.core.batch import DataShape, Table
from zerosum.games.wgan_gp import WGANGP, Settings


def test_one_player_moves_and_its_weights_are_clipped() -> None:
    torch.manual_seed(0)
    game = WGANGP(Settings(z=2, width=2, constraint="clip"), DataShape(1, 2, 1))
    before = [p.clone() for p in game.G.parameters()]
    batches = (Table(torch.randn(8, 2)) for _ in range(3))
    assert list(moved(game, "D", game.D_loss, batches)) == [1, 2, 3]
    assert all(torch.equal(a, b) for a, b in zip(before, game.G.parameters(), strict=True))
    assert max(p.detach().abs().max().item() for p in game.D.parameters()) <= 0.0101


def test_a_pool_draws_from_what_it_holds() -> None:
    made = torch.arange(3.0)[:, None]
    drawn = Pool(made)(torch.zeros(64, 4))
    assert drawn.shape == (64, 1)
    assert set(drawn.flatten().tolist()) == {0.0, 1.0, 2.0}
    assert not drawn.requires_grad


def test_curves_are_drawn_panel_by_panel(tmp_path: Path) -> None:
    curves = {"one": ([1.0, 2.0], [1.0, 10.0]), "two": ([1.0, 2.0], [3.0, 2.0])}
    draw([Curves("A", "x", curves)], tmp_path / "a" / "one.png")
    draw([Curves("A", "x", curves), Curves("B", "x", curves, ("log", "log"))], tmp_path / "two.png")
    with Image.open(tmp_path / "a" / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert (two.width, two.height) == (2 * one.width, one.height)
