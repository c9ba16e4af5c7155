"""House's equations on hand-computed numbers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.conftest import Blobs
from zerosum.core.batch import DataShape, Images
from zerosum.core.files import save_tensors
from zerosum.core.game import Clock
from zerosum.core.generator import Encodes, load
from zerosum.games.house import Codes, House, Settings


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
    game = house(redraw=0.0)
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


class Fixed(nn.Module):
    """A generator that paints every pixel with the last of its latents."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(()))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.one * z[:, -1:, None, None].expand(-1, 3, 32, 32)


def test_half_of_the_reals_are_redrawn_from_their_codes() -> None:
    game = house(redraw=3.0)
    game.D, game.G = linear_judge(0.0), Fixed()  # type: ignore[assignment]
    game.codes.axes[0, -1] = 2.0  # the last code is twice the first pixel's distance from a mean of 0
    x = torch.full((4, 3, 32, 32), 0.25)
    loss, notes = game.G_loss(Images(x), Clock())
    assert notes["redrawn"].item() == pytest.approx(0.5 - 0.25)
    assert loss.item() == pytest.approx(math.log(2) + 3.0 * 0.25)


def test_codes_are_uncorrelated_with_variance_1() -> None:
    blobs, codes = Blobs(400, shape=DataShape(16, 16)), Codes(8, DataShape(16, 16))
    codes.fit(blobs)
    found = codes(blobs.batch(np.arange(400)).x)
    assert torch.allclose(found.mean(0), torch.zeros(8), atol=1e-3)
    assert torch.allclose(torch.cov(found.T), torch.eye(8), atol=2e-2)


def test_of_few_pictures_few_codes_are_known_and_the_others_are_noise() -> None:
    blobs, codes = Blobs(40, shape=DataShape(16, 16)), Codes(8, DataShape(16, 16))
    codes.fit(blobs)
    x = blobs.batch(np.arange(40)).x
    one, other = codes(x), codes(x)
    assert torch.equal(one[:, :4], other[:, :4])  # a component for each ten pictures
    assert not torch.isclose(one[:, 4:], other[:, 4:]).any()


def test_meeting_the_data_is_the_same_each_time_and_draws_no_random_numbers() -> None:
    games, blobs = [house(), house()], Blobs(100)
    torch.manual_seed(5)
    for game in games:
        game.meet(blobs)
        torch.rand(3)
    assert torch.equal(games[0].codes.axes, games[1].codes.axes)
    left = torch.rand(1)
    torch.manual_seed(5)
    torch.rand(6)
    assert torch.equal(left, torch.rand(1))


def test_pictures_that_are_all_the_same_have_no_codes() -> None:
    codes = Codes(8, DataShape(16, 16))
    same = Blobs(50, shape=DataShape(16, 16))
    same.pixels[:] = same.pixels[0]
    codes.fit(same)
    assert not codes.axes.any()


def test_settled_it_stands_on_statistics_of_its_own_latents_and_the_live_networks_stay() -> None:
    live = house().generator()
    before = {name: tensor.clone() for name, tensor in live.state_dict().items()}
    settled = live.settled()
    assert all(torch.equal(before[name], tensor) for name, tensor in live.state_dict().items())
    x = settled.G[:2](settled.latents(256, seed=0))  # what comes into the first batch norm
    assert torch.allclose(settled.G[2].running_mean, x.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(settled.G[2].running_var, x.var((0, 2, 3)), rtol=0.02)
    assert torch.equal(settled.settled().images(2), settled.images(2)), "settled twice is settled once"


def test_levers_that_compare_a_batch_leave_nothing_redrawn() -> None:
    from zerosum.losses.levers import Levers

    assert house().redraws
    assert not house(redraw=0.0).redraws
    assert not any(house(levers=Levers(**lever)).redraws for lever in ({"pack": 2}, {"deviation": True}))  # type: ignore[arg-type]


def test_it_encodes_by_the_codes_it_has_learnt_from_and_keeps_them_in_its_file(tmp_path: Path) -> None:
    game, blobs = house(), Blobs(30)
    game.meet(blobs)
    game.generator().eval().save(tmp_path / "g.safetensors")
    again, x = load(tmp_path / "g.safetensors"), blobs.batch(np.arange(30)).x
    assert isinstance(again, Encodes)
    codes = again.encode(x)
    assert torch.equal(codes[:, :3], game.codes(x)[:, :3])  # a component for each ten pictures
    assert not codes[:, 3:].any(), "what is not known is not drawn by chance"


def test_what_redraws_nothing_does_not_encode() -> None:
    assert not isinstance(house(redraw=0.0).generator(), Encodes)


def test_a_file_from_before_it_encoded_is_loaded_as_it_was(tmp_path: Path) -> None:
    generator = house().generator().eval()
    tensors = {name: tensor for name, tensor in generator.state_dict().items() if not name.startswith("codes.")}
    save_tensors(tmp_path / "old.safetensors", tensors, {"zerosum": generator.header.to_json()})
    old = load(tmp_path / "old.safetensors")
    assert not isinstance(old, Encodes)
    assert (old.sample(2) == generator.sample(2)).all()


def test_in_half_precision_a_generator_of_64_pixels_has_room_in_the_zoo() -> None:
    generator = House(Settings(), DataShape(64, 64)).generator()
    assert 2 * sum(tensor.numel() for tensor in generator.state_dict().values()) < 8e6
