"""DCGAN's equations on hand-computed numbers, and the tutorial's networks to the parameter."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape, Images
from zerosum.core.game import Clock
from zerosum.games.dcgan import DCGAN, Settings


class Fixed(nn.Module):
    """Answers with the same logits, whatever it sees."""

    def __init__(self, *logits: float):
        super().__init__()
        self.logits = [torch.tensor([[logit]]) for logit in logits]
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.logits[(self.calls - 1) % len(self.logits)].expand(len(x), 1)


def dcgan(network: str, *logits: float) -> tuple[DCGAN, Images]:
    game = DCGAN(Settings(network=network, z=4, width=2), DataShape(32, 32, 3))  # type: ignore[arg-type]
    game.D = Fixed(*logits)  # type: ignore[assignment]
    return game, Images(torch.zeros(2, 3, 32, 32))


def count(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_the_tutorials_networks_have_its_parameters() -> None:
    game = DCGAN(Settings(network="keras"), DataShape(64, 64, 3))
    assert (count(game.G), count(game.D)) == (7_914_499, 1_235_969)


def test_the_tutorials_valid_convolutions_leave_30_13_5() -> None:
    game = DCGAN(Settings(network="keras"), DataShape(64, 64, 3))
    x, sizes = torch.zeros(1, 3, 64, 64), []
    for layer in game.D:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            sizes.append(x.shape[-1])
    assert sizes == [64, 30, 13, 5]


def test_the_papers_networks_have_its_maps() -> None:
    game = DCGAN(Settings(), DataShape(64, 64, 3))
    x, maps = torch.zeros(2, 100), []
    for layer in game.G:
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            maps.append(tuple(x.shape[1:]))
    assert maps == [(512, 4, 4), (256, 8, 8), (128, 16, 16), (64, 32, 32)]  # half of figure 1's, as its code has it
    assert x.shape == (2, 3, 64, 64)


def test_discriminators_loss_is_algorithm_1() -> None:
    game, batch = dcgan("radford", math.log(3), math.log(1 / 3))  # D(x) = 3/4, D(G(z)) = 1/4
    loss, notes = game.D_loss(batch, Clock())
    assert float(notes["D_real"]) == pytest.approx(-math.log(3 / 4))
    assert float(loss) == pytest.approx(-2 * math.log(3 / 4))


def test_generators_loss_is_non_saturating() -> None:
    game, batch = dcgan("radford", math.log(1 / 3))
    loss, _ = game.G_loss(batch, Clock())
    assert float(loss) == pytest.approx(-math.log(1 / 4))


def test_the_tutorials_labels_are_soft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, device: torch.full(shape, 0.5))  # U(0, 0.2) gives 0.1
    game, batch = dcgan("keras", math.log(3))  # a probability of 3/4
    mixed = -(0.9 * math.log(3 / 4) + 0.1 * math.log(1 / 4))
    assert float(game.soft_real_loss(batch, Clock())[0]) == pytest.approx(mixed)
    assert float(game.soft_G_loss(batch, Clock())[0]) == pytest.approx(mixed)
    fooled = -(0.1 * math.log(3 / 4) + 0.9 * math.log(1 / 4))
    assert float(game.soft_fake_loss(batch, Clock())[0]) == pytest.approx(fooled)


def test_the_tutorials_round_draws_once_and_moves_three_times() -> None:
    game = DCGAN(Settings(network="keras"), DataShape(64, 64, 3))
    assert [turn.players for turn in game.turns()] == ["D", "D", "G"]
    assert [turn.draws for turn in game.turns()] == [True, False, False]
    plan = game.plan()
    assert (plan.images, plan.batch, plan.order) == (10_000 * 128, 128, "replacement")


def test_weights_begin_as_the_paper_says() -> None:
    game = DCGAN(Settings(), DataShape(64, 64, 3))
    weights = torch.cat([p.detach().flatten() for p in game.G.parameters() if p.dim() == 4])
    assert float(weights.std()) == pytest.approx(0.02, rel=0.01)
    assert abs(float(weights.mean())) < 1e-4


def test_the_tutorials_even_kernel_is_padded_at_the_end() -> None:
    game = DCGAN(Settings(network="keras"), DataShape(64, 64, 3))
    pad = next(layer for layer in game.G if isinstance(layer, nn.ZeroPad2d))
    assert tuple(pad.padding) == (3, 4, 3, 4)  # 8 - 1 = 7 = 3 + 4
