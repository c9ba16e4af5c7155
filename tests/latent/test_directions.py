"""Directions of a latent space, on a generator whose codes are the pictures' own pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from zerosum.core.batch import DataShape
from zerosum.core.errors import Refusal
from zerosum.core.generator import Generator, Header, LatentGenerator
from zerosum.latent.directions import BATCH, calibrated, decoded, encoded, mean_difference, moved, traversal
from zerosum.latent.sliders import Slider

HEADER = Header("vae", {}, DataShape(1, 2, 1))


class Pixels(Generator):
    """Encodes a picture of two pixels by twice its values."""

    def __init__(self) -> None:
        super().__init__(HEADER)
        self.scale = nn.Parameter(torch.tensor(2.0))

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1) * self.scale

    def forward(self, z: Tensor) -> Tensor:
        return (z / self.scale).view(-1, 1, 1, 2)


def pictures(*pixels: tuple[float, float]) -> Tensor:
    return torch.tensor(pixels).view(-1, 1, 1, 2)


def test_the_direction_is_the_mean_code_with_less_the_mean_code_without() -> None:
    direction = mean_difference(Pixels(), pictures((0.5, 0.1), (0.3, 0.3)), pictures((-0.2, 0.2)))
    assert direction.tolist() == pytest.approx([1.2, 0.0], abs=1e-6)  # 2 * (0.4 + 0.2), 2 * (0.2 - 0.2)


@pytest.mark.parametrize(("strength", "first"), [(0.0, 0.1), (1.0, 0.4), (-2.0, -0.5)])
def test_a_picture_moves_by_the_strength(strength: float, first: float) -> None:
    x = moved(Pixels(), pictures((0.1, 0.7)), torch.tensor([0.6, 0.0]), strength)
    assert x.flatten().tolist() == pytest.approx([first, 0.7])


def test_a_traversal_varies_one_latent_alone() -> None:
    z = torch.tensor([0.2, 0.4])
    x = traversal(Pixels(), z, 1, torch.tensor([-1.0, 0.0, 1.0]))
    assert x.flatten(1).tolist() == [pytest.approx(row) for row in ([0.1, -0.5], [0.1, 0.0], [0.1, 0.5])]
    assert z.tolist() == pytest.approx([0.2, 0.4]), "the code that came stays as it was"


def test_more_pictures_than_a_batch_come_back_in_order() -> None:
    x = torch.linspace(-1, 1, 2 * (2 * BATCH + 3)).view(-1, 1, 1, 2)
    assert torch.allclose(decoded(Pixels(), encoded(Pixels(), x)), x)


def test_a_game_without_an_encoder_is_refused_by_name() -> None:
    generator = LatentGenerator(Header("dcgan", {}, DataShape(1, 2, 1)), nn.Linear(2, 2), 2)
    with pytest.raises(Refusal, match=r"dcgan has no encoder.*vae"):
        moved(generator, pictures((0.0, 0.0)), torch.zeros(2))


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(Refusal, match="without the attribute"):
        mean_difference(Pixels(), pictures((0.0, 0.0)), pictures((0.0, 0.0))[:0])


def test_pictures_of_whole_numbers_are_refused() -> None:
    with pytest.raises(Refusal, match=r"came as torch.uint8; wanted float in \[-1, 1\]"):
        encoded(Pixels(), torch.zeros(2, 1, 1, 2, dtype=torch.uint8))


def test_a_slider_is_stretched_until_the_encoder_sees_its_pictures_arrive() -> None:
    class Timid(Pixels):
        """Its pictures answer to two thirds of a code's change."""

        def forward(self, z: Tensor) -> Tensor:
            return super().forward(z) * 2 / 3

    slider, codes = Slider("bright", torch.tensor([1.0, 0.0])), torch.zeros(5, 2)
    assert calibrated(Pixels(), slider, codes).stretch == 1
    found = calibrated(Timid(), slider, codes)
    assert (found.stretch, found.arrives) == (1.5, pytest.approx(1))
