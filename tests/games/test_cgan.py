"""CGAN's equations on hand-computed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tests.contract.golden import LABELS  # class: a, b, c; glasses: no, yes
from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.games.cgan import AC, CGAN, Concat, Projection, Settings

SHAPE = DataShape(32, 32, 1, LABELS)
Y = torch.tensor([[2, 0], [1, 1]])


def cgan(how: str, **settings: float) -> CGAN:
    torch.manual_seed(0)
    return CGAN(Settings(how=how, z=4, width=2, **settings), SHAPE)  # type: ignore[arg-type]


def batch() -> Images:
    return Images(torch.rand(2, 1, 32, 32), Y)


class TwoFeatures(nn.Module):
    """phi(x): the value of the first pixel, and 1."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[:, 0, 0, 0], torch.ones(len(x))], 1)


def small(judge: Projection | AC | Concat) -> None:
    judge.phi = TwoFeatures()  # type: ignore[assignment]
    judge.psi = nn.Linear(2, 1)
    nn.init.constant_(judge.psi.weight, 10.0)
    nn.init.zeros_(judge.psi.bias)


def test_projection_is_the_codes_times_V_times_the_features_and_psi() -> None:
    D = Projection([2, 4, 8], SHAPE)
    small(D)
    D.V = nn.Linear(5, 2, bias=False)
    D.V.weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [0.1, 0.2, 0.3, 0.4, 0.5]])
    x = torch.zeros(1, 1, 32, 32)
    x[0, 0, 0, 0] = 2.0
    c = torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.0]])  # class c, no glasses
    # V y = (3 + 4, 0.3 + 0.4); times phi = (2, 1): 14.7; psi = 10 * 2 + 10 * 1
    assert D(x, c).item() == pytest.approx(14.7 + 30.0, rel=1e-6)


def test_concat_brings_features_and_codes_together() -> None:
    D = Concat([2, 4, 8], SHAPE)
    D.phi = TwoFeatures()  # type: ignore[assignment]
    D.joint, D.psi = nn.Linear(7, 2, bias=False), nn.Linear(2, 1, bias=False)
    D.joint.weight.data = torch.tensor([[1.0, 0, 0, 0, 1.0, 0, 0], [-1.0, 0, 0, 0, 0, 0, -1.0]])
    D.psi.weight.data = torch.tensor([[1.0, 10.0]])
    x = torch.zeros(1, 1, 32, 32)
    x[0, 0, 0, 0] = 2.0
    # phi = (2, 1), codes of (c, yes) = (0, 0, 1, 0, 1): joint = (2 + 1, -2 - 1), leaky: (3, -0.6)
    assert D(x, torch.tensor([[0.0, 0, 1, 0, 1]])).item() == pytest.approx(3 - 6, rel=1e-6)


@pytest.mark.parametrize("how", ["concat", "ac", "projection"])
def test_losses_at_an_undecided_discriminator(how: str) -> None:
    game = cgan(how)
    for parameter in game.D.parameters():
        nn.init.zeros_(parameter)
    untold = math.log(3) + math.log(2) if how == "ac" else 0.0  # of three classes and of two, for each picture
    loss, notes = game.D_loss(batch(), Clock())
    assert loss.item() == pytest.approx(2 * math.log(2) + 2 * untold, rel=1e-5)
    assert game.G_loss(batch(), Clock())[0].item() == pytest.approx(math.log(2) + untold, rel=1e-5)
    assert ("L_C" in notes) == (how == "ac")


def test_L_C_is_the_sum_over_the_attributes() -> None:
    told = torch.tensor([[0.0, 0.0, math.log(2), 0.0, 0.0]])  # class c: 2 of 4; glasses: even
    found = cgan("ac").untold(told, torch.tensor([[2, 1]]))
    assert found.item() == pytest.approx(-math.log(2 / 4) - math.log(1 / 2), rel=1e-6)


def test_telling_weighs_L_C() -> None:
    game = cgan("ac", telling=3.0)
    for parameter in game.D.parameters():
        nn.init.zeros_(parameter)
    assert game.G_loss(batch(), Clock())[0].item() == pytest.approx(math.log(2) + 3 * math.log(6), rel=1e-5)


def test_the_discriminator_of_ac_is_not_shown_the_labels() -> None:
    D, x = cgan("ac").D, torch.rand(2, 1, 32, 32)
    ones, zeros = torch.ones(2, 5), torch.zeros(2, 5)
    assert torch.equal(D(x, ones), D(x, zeros))
    for how in ("concat", "projection"):
        D = cgan(how).D
        assert not torch.equal(D(x, ones), D(x, zeros))


def test_other_labels_other_pictures() -> None:
    game = cgan("projection").eval()
    z, c = torch.randn(1, 4), torch.eye(5)
    assert not torch.equal(game.G(z, c[:1]), game.G(z, c[1:2]))


def test_R1_is_half_gamma_times_the_squared_gradient() -> None:
    game = cgan("projection", gamma=3.0, lazy=5)
    small(game.D)  # type: ignore[arg-type]
    game.D.V = nn.Linear(5, 2, bias=False)  # type: ignore[union-attr]
    game.D.V.weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    loss, notes = game.R1(batch(), Clock())
    # d/dx of the first pixel: 10 + 3 + 4 for (c, no), 10 + 2 + 5 for (b, yes)
    assert notes["R1"].item() == pytest.approx(17.0**2, rel=1e-5)
    assert loss.item() == pytest.approx(5 * 3.0 / 2 * 17.0**2, rel=1e-5)


def test_labels_are_remembered_by_the_move_that_draws() -> None:
    game = cgan("projection")
    game.G_loss(batch(), Clock())
    game.R1(batch(), Clock())
    assert len(game.seen.rows()) == 0
    game.D_loss(batch(), Clock())
    assert game.seen.rows().tolist() == Y.tolist()


def test_the_judge_without_labels_is_told_their_mean() -> None:
    game = cgan("projection").eval()
    game.seen.note(Y)
    x, mean = torch.rand(3, 1, 32, 32), torch.tensor([0.0, 0.5, 0.5, 0.5, 0.5]).expand(3, -1)
    assert torch.allclose(game.generator().score(x), game.D(x, mean).flatten(), atol=1e-2)


def test_data_without_labels_is_refused() -> None:
    with pytest.raises(Refusal, match=r"cgan needs labels; this data has none\. Put each class in a subfolder"):
        CGAN(Settings(), DataShape(32, 32, 3))
