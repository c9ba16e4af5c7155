"""VAE-GAN's algorithm 1 on hand-computed numbers, and each player moved by its own loss alone."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.core.generator import Encodes, Judges, Samples
from zerosum.games.vaegan import VAEGAN, Settings


def vaegan(**settings: float) -> VAEGAN:
    torch.manual_seed(0)
    return VAEGAN(Settings(z=2, width=2, **settings), DataShape(32, 32, 1))  # type: ignore[arg-type]


class Answers(nn.Module):
    """The same answer for each picture of a kind: three kinds in one batch of equal thirds."""

    def __init__(self, *answers: list[float]):
        super().__init__()
        self.answers = torch.tensor(answers)

    def forward(self, x: Tensor) -> Tensor:
        return self.answers.repeat_interleave(len(x) // len(self.answers), 0)


def rigged(**settings: float) -> VAEGAN:
    """mu = (1, 0) and sigma = 1; Dis_l answers (1, 2) to x, (0, 4) to x~; D says 3/4, 1/4 and 1/2."""
    game = vaegan(**settings)
    game.E = Answers([1.0, 0.0, 0.0, 0.0])  # type: ignore[assignment]
    logits = Answers([math.log(3)], [math.log(1 / 3)], [0.0])
    game.D = nn.Sequential(Answers([1.0, 2.0], [0.0, 4.0], [9.0, 9.0]), logits)
    return game


def test_the_losses_are_those_of_algorithm_1() -> None:
    losses, notes = rigged(gamma=0.1).losses(Images(torch.zeros(2, 1, 32, 32)), Clock())
    prior, unlike = 0.5, (1 + 4) / 2
    assert losses["E"].item() == pytest.approx(prior + unlike)
    assert losses["G"].item() == pytest.approx(0.1 * unlike - math.log(1 / 4) - math.log(1 / 2))
    assert losses["D"].item() == pytest.approx(-math.log(3 / 4) - math.log(3 / 4) - math.log(1 / 2))
    assert notes["D_real"].item() == pytest.approx(-math.log(3 / 4))
    assert notes["KL"].item() == pytest.approx(prior)
    assert notes["unlike"].item() == pytest.approx(unlike)


def test_the_discriminator_sees_pictures_reconstructions_and_samples() -> None:
    game, seen = vaegan(), []
    game.D[0].register_forward_hook(lambda net, given, answer: seen.append(given[0]))
    x = torch.rand(4, 1, 32, 32)
    made: list[Tensor] = []
    game.G.register_forward_hook(lambda net, given, answer: made.append(answer))
    game.losses(Images(x), Clock())
    assert len(seen) == len(made) == 1, "one forward pass for all three players"
    assert torch.equal(seen[0], torch.cat([x, made[0]]))
    assert not torch.equal(*made[0].chunk(2))


def test_likeness_is_half_the_squared_distance_a_picture() -> None:
    seen, again = torch.zeros(2, 1, 1, 2), torch.tensor([[3.0, 4.0], [1.0, 0.0]]).view(2, 1, 1, 2)
    assert vaegan().unlike(seen, again).item() == pytest.approx((25 + 1) / 2 / 2)


def test_only_the_discriminators_loss_is_free_of_gamma() -> None:
    batch = Images(torch.zeros(2, 1, 32, 32))
    (small, _), (large, _) = (rigged(gamma=gamma).losses(batch, Clock()) for gamma in (0.0, 1.0))
    assert large["G"].item() - small["G"].item() == pytest.approx(2.5)
    assert large["D"].item() == small["D"].item()
    assert large["E"].item() == small["E"].item()


@pytest.mark.parametrize("side", [32, 64])
def test_likeness_is_measured_on_maps_of_8_pixels(side: int) -> None:
    game = VAEGAN(Settings(z=2, width=2), DataShape(side, side, 3))
    assert game.D[0](torch.zeros(2, 3, side, side)).shape[2:] == (8, 8)


def test_it_samples_encodes_and_judges() -> None:
    generator = vaegan().eval().generator()
    assert isinstance(generator, Samples)
    assert isinstance(generator, Encodes)
    assert isinstance(generator, Judges)
    x = torch.rand(3, 1, 32, 32)
    assert generator.encode(x).shape == (3, 2)
    assert generator.score(x).shape == (3,)


def test_settings_out_of_range_are_refused() -> None:
    for settings in ({"gamma": -1.0}, {"beta1": 1.0}, {"rate": 0.0}):
        with pytest.raises(Refusal, match="wanted"):
            vaegan(**settings)
