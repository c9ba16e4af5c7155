"""The VAE's equations on hand-computed numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.core.generator import Encodes, Samples
from zerosum.games.vae import GREY_LEVEL, KL, VAE, Settings, active, drawn


class Fixed(nn.Module):
    """Answers with the same row or picture, whatever it sees."""

    def __init__(self, answer: Tensor):
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        return self.answer.expand(len(x), *self.answer.shape[1:])


def vae(**settings: float) -> VAE:
    torch.manual_seed(0)
    return VAE(Settings(z=2, width=2, **settings), DataShape(32, 32, 1))  # type: ignore[arg-type]


def test_the_divergence_is_that_of_gaussians() -> None:
    mean, log_variance = torch.tensor([[0.0, 3.0], [0.0, 1.0]]), torch.tensor([[0.0, math.log(4)], [0.0, math.log(4)]])
    # (mu^2 + sigma^2 - log sigma^2 - 1) / 2 of mu = 3 and 1, sigma = 2, averaged: (9 + 1) / 2 = 5 for mu^2
    assert KL(mean, log_variance).tolist() == pytest.approx([0.0, (5 + 4 - math.log(4) - 1) / 2])


def test_z_is_drawn_about_the_mean() -> None:
    torch.manual_seed(0)
    z = drawn(torch.full((40_000, 1), 2.0), torch.full((40_000, 1), math.log(9)))
    assert z.mean().item() == pytest.approx(2, abs=0.1)
    assert z.std().item() == pytest.approx(3, abs=0.1)


def test_gradients_pass_through_the_draw() -> None:
    mean, log_variance = torch.zeros(1, 1, requires_grad=True), torch.zeros(1, 1, requires_grad=True)
    torch.manual_seed(0)
    z = drawn(mean, log_variance)
    z.sum().backward()
    assert mean.grad is not None
    assert log_variance.grad is not None
    assert mean.grad.item() == 1
    assert log_variance.grad.item() == pytest.approx(z.item() / 2)  # d(sigma epsilon) / d(log sigma^2)


def test_a_fixed_sigma_gives_the_gaussian_log_density() -> None:
    x, decoded = torch.zeros(2, 1, 1, 2), torch.tensor([[0.5, 0.0], [1.0, 0.0]]).view(2, 1, 1, 2)
    squares = (0.25 + 1.0) / 2  # per picture
    expected = squares / (2 * 0.5**2) + 2 * math.log(2 * math.pi * 0.5**2) / 2
    assert vae(sigma=0.5).surprise(x, decoded).item() == pytest.approx(expected)


def test_the_likeliest_sigma_is_the_mean_square() -> None:
    x, decoded = torch.zeros(2, 1, 1, 2), torch.tensor([[0.4, 0.2], [0.4, 0.2]]).view(2, 1, 1, 2)
    expected = 2 * (math.log(2 * math.pi * 0.1) + 1) / 2  # two pixels, mean square (0.16 + 0.04) / 2
    assert vae().surprise(x, decoded).item() == pytest.approx(expected, rel=1e-5)
    others = [vae(sigma=sigma).surprise(x, decoded).item() for sigma in (0.1, 0.3, 0.33, 0.5)]
    assert min(others) > expected


def test_a_perfect_picture_has_a_finite_surprise() -> None:
    x = torch.zeros(1, 1, 1, 1)
    assert vae().surprise(x, x).item() == pytest.approx(math.log(2 * math.pi * GREY_LEVEL**2) / 2, rel=1e-4)


@pytest.mark.parametrize(("images", "weight"), [(0, 0.0), (100, 1.0), (200, 2.0), (800, 2.0)])
def test_beta_grows_over_the_annealing(images: int, weight: float) -> None:
    assert vae(beta=2.0, anneal=0.2).weight(Clock(images=images, total=1000)) == pytest.approx(weight)
    assert vae(beta=2.0).weight(Clock(images=images, total=1000)) == 2.0


def test_free_bits_charge_what_lies_below_at_their_own_worth() -> None:
    divergence = torch.tensor([0.1, 0.7, 2.0], requires_grad=True)
    charged = vae(free_bits=0.5).charged(divergence)
    charged.backward()
    assert charged.item() == pytest.approx(0.5 + 0.7 + 2.0)
    assert divergence.grad is not None
    assert divergence.grad.tolist() == [0, 1, 1], "below the bound nothing pulls a latent to the prior"


def test_the_loss_is_surprise_and_weighted_divergence() -> None:
    game = vae(sigma=1.0, beta=3.0, anneal=0.5)
    game.E = Fixed(torch.tensor([[1.0, 0.0, 0.0, 0.0]]))  # type: ignore[assignment]  # mu = (1, 0), sigma = 1
    game.G = Fixed(torch.full((1, 1, 32, 32), 0.5))  # type: ignore[assignment]
    loss, notes = game.loss(Images(torch.zeros(4, 1, 32, 32)), Clock(images=250, total=1000))
    surprise = 1024 * (0.25 + math.log(2 * math.pi)) / 2
    assert notes["reconstruction"].item() == pytest.approx(surprise, rel=1e-5)
    assert notes["KL"].item() == pytest.approx(0.5)
    assert notes["active"].item() == 0, "the same mean for every picture tells nothing"
    assert loss.item() == pytest.approx(surprise + 3.0 * 0.5 * 0.5, rel=1e-5)  # type: ignore[union-attr]


def test_a_latent_is_active_whose_mean_moves() -> None:
    mean = torch.tensor([[0.0, 0.0], [0.18, 0.22]])  # variances 0.0081 and 0.0121
    assert active(mean).tolist() == [False, True]


def test_it_samples_and_encodes_by_the_mean() -> None:
    game = vae().eval()
    generator, x = game.generator(), torch.rand(3, 1, 32, 32)
    assert isinstance(generator, Samples)
    assert isinstance(generator, Encodes)
    assert torch.equal(generator.encode(x), game.E(x)[:, :2])
    assert torch.equal(generator.encode(x), generator.encode(x)), "no noise in an encoding"


def test_settings_out_of_range_are_refused() -> None:
    for settings in ({"beta": -1.0}, {"anneal": 1.5}, {"free_bits": -0.1}, {"sigma": -1.0}, {"rate": 0.0}):
        with pytest.raises(Refusal, match="wanted"):
            vae(**settings)
