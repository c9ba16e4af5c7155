"""MSG-GAN's equations on hand-computed numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.games.msggan import MSGGAN, Settings, penalty_at_scales, pyramid
from zerosum.layers.shapes import averaged

SHAPE = DataShape(16, 16, 3)


def msggan(**settings: object) -> MSGGAN:
    torch.manual_seed(0)
    return MSGGAN(Settings(z=4, width=2, **settings), SHAPE)  # type: ignore[arg-type]


class Weighted(nn.Module):
    """D(x) = the sum over scales s of weight_s times the sum of x_s: each gradient's norm is weight_s times the root of
    the number of values."""

    def __init__(self, *weights: float):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        return torch.stack([w * part.flatten(1).sum(1) for w, part in zip(self.weights, x, strict=True)]).sum(0)


def test_a_picture_at_all_scales() -> None:
    x = torch.rand(2, 3, 16, 16)
    coarse, middle, fine = pyramid(x, 3)
    assert torch.equal(fine, x)
    assert torch.equal(middle, averaged(x))
    assert torch.allclose(coarse, x.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)), atol=1e-6)


def test_the_penalty_is_the_mean_over_the_scales() -> None:
    D, x = Weighted(0.5, 0.25), [torch.rand(2, 1, 2, 2), torch.rand(2, 1, 4, 4)]
    gp = penalty_at_scales(D, x, x)
    assert gp.item() == pytest.approx(((0.5 * 2 - 1) ** 2 + (0.25 * 4 - 1) ** 2) / 2, abs=1e-6)
    D = Weighted(1.0, 0.5)  # norms 2 and 2
    gp = penalty_at_scales(D, x, x)
    assert gp.item() == pytest.approx(1)
    gp.backward()
    assert D.weights.grad is not None
    assert D.weights.grad.tolist() == pytest.approx([2 * (2 - 1) * 2 / 2, 2 * (2 - 1) * 4 / 2])


def test_one_point_a_pair_at_all_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def spy(x: Sequence[Tensor]) -> Tensor:
        seen.extend(x)
        return sum(part.flatten(1).sum(1) for part in x)  # type: ignore[return-value]

    torch.manual_seed(0)
    penalty_at_scales(spy, pyramid(torch.ones(8, 1, 4, 4), 2), pyramid(torch.zeros(8, 1, 4, 4), 2))  # type: ignore[arg-type]
    coarse, fine = seen
    assert torch.equal(coarse[:, :, :1, :1], fine[:, :, :1, :1])
    assert len(fine[:, 0, 0, 0].unique()) == 8


def test_the_penalty_is_float32_under_autocast() -> None:
    game, x = msggan(), pyramid(torch.rand(4, 3, 16, 16), 3)
    torch.manual_seed(1)
    plain = penalty_at_scales(game.D, x, [part.flip(0) for part in x])
    torch.manual_seed(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = penalty_at_scales(game.D, x, [part.flip(0) for part in x])
    assert torch.equal(plain, mixed)


def test_losses_are_the_critics(monkeypatch: pytest.MonkeyPatch) -> None:
    game = msggan(gp=2.0, lazy=4)
    game.D = Weighted(0.0, 0.0, 1 / (3 * 16 * 16))  # type: ignore[assignment]  # the mean of the finest
    monkeypatch.setattr(game, "fakes", lambda n: pyramid(torch.full((n, 3, 16, 16), 0.25), 3))
    batch = Images(torch.full((2, 3, 16, 16), 0.75))
    loss, notes = game.D_loss(batch, Clock())
    assert notes["wasserstein"].item() == pytest.approx(0.5)
    assert loss.item() == pytest.approx(-0.5)  # type: ignore[union-attr]
    assert game.G_loss(batch, Clock())[0].item() == pytest.approx(-0.25)  # type: ignore[union-attr]
    slope = 1 / math.sqrt(3 * 16 * 16)
    penalty, _ = game.penalty(batch, Clock())
    assert penalty.item() == pytest.approx(4 * 2.0 * (1 + 1 + (slope - 1) ** 2) / 3, rel=1e-5)  # type: ignore[union-attr]


def test_every_scale_reaches_every_layer_of_G_at_once() -> None:
    """What D says of the coarsest picture moves G's first layers without passing through its last."""
    game = msggan()
    coarsest = game.fakes(2)[0]
    assert coarsest.shape == (2, 3, 4, 4)
    coarsest.sum().backward()
    assert all(p.grad is not None for p in game.G.first.parameters())
    assert all(p.grad is None for p in game.G.blocks.parameters())
    game.zero_grad(set_to_none=True)
    game.G_loss(Images(torch.rand(2, 3, 16, 16)), Clock())[0].backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and p.grad.any() for p in game.G.to_rgb.parameters())


def test_D_sees_each_scale() -> None:
    game, x = msggan(), pyramid(torch.rand(4, 3, 16, 16), 3)
    for changed in range(3):
        other = [part + 1 if k == changed else part for k, part in enumerate(x)]
        assert not torch.allclose(game.D(x), game.D(other))


@pytest.mark.parametrize("setting", [{"rate": 0.0}, {"gp": -1.0}, {"lazy": 0}])
def test_settings_out_of_range_are_refused(setting: dict) -> None:
    with pytest.raises(Refusal, match=f"--{next(iter(setting))}"):
        Settings(**setting)
