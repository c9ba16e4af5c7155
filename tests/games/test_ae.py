"""The autoencoder's equations, on numbers computed by hand, and what its generator can do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import Refusal
from zerosum.core.game import Clock
from zerosum.core.generator import Encodes, Samples
from zerosum.games.ae import AE, Settings, decoder, encoder, falling

GREY = DataShape(32, 32, 1)


def test_the_loss_is_the_mean_square_error() -> None:
    game = AE(Settings(z=1, network="linear"), GREY)
    for parameter in game.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(game.g.get_parameter("0.bias"), 0.5)  # whatever comes, 0.5 is made of it
    x = torch.full((2, 1, 32, 32), -0.5)
    x[1] = 0.0
    loss, _ = game.loss(Images(x), Clock())
    assert loss.item() == pytest.approx((1.0**2 + 0.5**2) / 2)


def test_noise_is_in_steps_of_a_255th_of_the_range() -> None:
    game = AE(Settings(z=1, noise=25), GREY)
    torch.manual_seed(0)
    noise = game.corrupted(torch.zeros(64, 1, 32, 32))
    assert noise.std() == pytest.approx(25 * 2 / 255, rel=0.01)
    assert noise.mean().abs() < 0.005
    game = AE(Settings(z=1), GREY)
    x = torch.ones(1, 1, 32, 32)
    assert game.corrupted(x) is x


def test_the_rate_falls_to_nothing() -> None:
    assert [falling(Clock(images, total=60)) for images in (0, 20, 30, 60)] == pytest.approx([1, 0.75, 0.5, 0])


@pytest.mark.parametrize(("height", "width", "channels"), [(28, 28, 1), (32, 48, 4), (33, 57, 3)])
def test_its_networks_serve_other_games_at_any_size(height: int, width: int, channels: int) -> None:
    shape = DataShape(height, width, channels)
    code = encoder(shape, 4, out=6)(torch.zeros(2, channels, height, width))
    assert code.shape == (2, 6)
    x = decoder(6, 4, shape)(100 * code.detach() + 100)
    assert x.shape == (2, channels, height, width)
    assert x.abs().max() <= 1


@pytest.mark.parametrize(
    "settings", [Settings(3, network, width=4) for network in ("convolutional", "dense", "linear")]
)
@pytest.mark.parametrize(("shape", "size"), [(GREY, (1, 32, 32)), (DataShape(1, 8, 1), (8,))])
def test_its_generator_encodes_and_decodes_but_does_not_sample(settings: Settings, shape: DataShape, size) -> None:
    generator = AE(settings, shape).generator()
    assert isinstance(generator, Encodes)
    assert not isinstance(generator, Samples)
    x = torch.zeros(2, *size)
    codes = generator.encode(x)
    assert codes.shape == (2, 3)
    assert generator(codes).shape == x.shape


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(Refusal, match="--z 0"):
        Settings(z=0)
    with pytest.raises(Refusal, match="--noise 300"):
        Settings(noise=300)
