"""WGAN's equations on hand-computed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam, RMSprop

from zerosum.core.batch import DataShape, Images, Table
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.games.wgan_gp import WGANGP, Settings
from zerosum.losses.penalties import gradient_penalty

RGB, ROWS = DataShape(32, 32, 3), DataShape(1, 4, 1)


class Sum(nn.Module):
    """D(x) = slope * the sum of x: its gradient's norm is slope times the root of the number of values."""

    def __init__(self, slope: float):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x: Tensor) -> Tensor:
        return self.slope * x.flatten(1).sum(1, keepdim=True)


def wgan(shape: DataShape = ROWS, **settings: object) -> WGANGP:
    torch.manual_seed(0)
    return WGANGP(Settings(z=4, width=2, **settings), shape)  # type: ignore[arg-type]


def half_square(x: Tensor) -> Tensor:
    """D(x) = |x|^2 / 2: its gradient is x itself."""
    return x.flatten(1).square().sum(1) / 2


def test_the_penalty_is_on_the_norm_at_points_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda *size, device: torch.tensor([0.25, 1.0]).reshape(size))
    real, fake = torch.zeros(2, 1, 1, 2), torch.zeros(2, 1, 1, 2)
    real[:, ..., 0], fake[:, ..., 1] = 4.0, 8.0
    # At (0.25 * 4, 0.75 * 8) = (1, 6) and at (4, 0).
    wanted = ((math.sqrt(37) - 1) ** 2 + (4 - 1) ** 2) / 2
    assert gradient_penalty(half_square, real, fake).item() == pytest.approx(wanted)


def test_one_point_a_pair_somewhere_on_its_line() -> None:
    torch.manual_seed(0)
    seen = []

    def spy(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return half_square(x)

    gradient_penalty(spy, torch.ones(64, 3, 2, 2), torch.zeros(64, 3, 2, 2))
    (x,) = seen
    assert torch.equal(x, x[:, :1, :1, :1].expand_as(x))  # one eps a pair
    assert len(x[:, 0, 0, 0].unique()) == 64
    assert 0 <= x.min() < 0.1
    assert 0.9 < x.max() <= 1


def test_the_penalty_moves_the_critics_weights() -> None:
    critic = Sum(0.75)
    gradient_penalty(critic, torch.rand(3, 4), torch.rand(3, 4)).backward()
    assert critic.slope.grad is not None
    assert critic.slope.grad.item() == pytest.approx(2 * (0.75 * 2 - 1) * 2)  # d/ds (2 s - 1)^2, as |grad D| = 2 s


def test_the_penalty_is_float32_under_autocast() -> None:
    seen = []

    def spy(x: Tensor) -> Tensor:
        seen.append((x @ x.T).dtype)
        return x.sum(1)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        gradient_penalty(spy, torch.rand(2, 4).bfloat16(), torch.rand(2, 4))
    assert seen == [torch.float32]


def test_the_critics_loss_is_equation_3(monkeypatch: pytest.MonkeyPatch) -> None:
    game = wgan(gp=3.0)
    game.D = Sum(1.0)
    monkeypatch.setattr(game, "fakes", lambda n: torch.full((n, 4), 0.25))  # D = 1
    loss, notes = game.D_loss(Table(torch.full((2, 4), 0.75)), Clock())  # D = 3
    assert notes["wasserstein"].item() == pytest.approx(3 - 1)
    assert notes["gp"].item() == pytest.approx((2 - 1) ** 2)
    assert loss.item() == pytest.approx(1 - 3 + 3.0 * 1)  # type: ignore[union-attr]
    assert game.G_loss(Table(torch.zeros(2, 4)), Clock())[0].item() == pytest.approx(-1)  # type: ignore[union-attr]


def test_clipping_takes_no_penalty_and_bounds_each_weight() -> None:
    game = wgan(RGB, constraint="clip", clip=0.02)
    _, notes = game.D_loss(Images(torch.rand(2, 3, 32, 32)), Clock())
    assert set(notes) == {"wasserstein"}
    players = game.players()
    assert players["G"].after_step is None
    clip = players["D"].after_step
    assert clip is not None
    with torch.no_grad():
        clip()
    weights = torch.cat([p.detach().flatten() for p in game.D.parameters()])
    assert weights.abs().max().item() == pytest.approx(0.02)


def test_each_constraint_has_its_papers_optimizer() -> None:
    adam = [p.optimizer(p.parameters()) for p in wgan().players().values()]
    assert all(isinstance(o, Adam) and (o.defaults["lr"], o.defaults["betas"]) == (1e-4, (0.0, 0.9)) for o in adam)
    rms = [p.optimizer(p.parameters()) for p in wgan(constraint="clip").players().values()]
    assert all(isinstance(o, RMSprop) and o.defaults["lr"] == 5e-5 for o in rms)
    assert wgan(rate=0.5).players()["D"].optimizer([nn.Parameter(torch.zeros(1))]).defaults["lr"] == 0.5


def test_the_critic_moves_five_times_on_new_pictures() -> None:
    turns = wgan().turns()
    assert [(turn.players, turn.times, turn.draws) for turn in turns] == [("D", 5, True), ("G", 1, False)]


def test_the_critic_judges_each_picture_alone() -> None:
    game, x = wgan(RGB), torch.rand(4, 3, 32, 32)
    assert torch.allclose(game.D(x)[:1], game.D(x[:1]), atol=1e-6)


@pytest.mark.parametrize("setting", [{"n_critic": 0}, {"gp": -1.0}, {"rate": 0.0}, {"clip": 0.0}])
def test_settings_out_of_range_are_refused(setting: dict) -> None:
    with pytest.raises(Refusal, match=f"--{next(iter(setting))}"):
        Settings(**setting)
