"""Autoencoder: a picture or a table's row squeezed into few numbers, and made again from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images, Table
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Generator, Header
from zerosum.core.plan import Plan
from zerosum.layers.shapes import Crop, Reshape, doublings, halved


@dataclass(frozen=True)
class Settings:
    """Settings of ae."""

    z: int = 32
    """Length of the code."""
    network: Literal["convolutional", "dense", "linear"] = "convolutional"
    """Dense is as in 2006, and what a table always has; linear finds what principal component analysis finds."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times. Dense layers have 16 and 8 times."""
    noise: float = 0.0
    """Sigma of the Gaussian noise on the input, of 255; 0 for none. (A table's standard deviation counts 127.5.)"""
    rate: float = 1e-3
    """Adam's learning rate at the start; a cosine takes it to 0 at the end."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(0 <= self.noise <= 255, f"--noise {self.noise:g}: wanted at least 0 and at most 255.")


class AE(Game):
    """Autoencoder. Geoffrey Hinton, Ruslan Salakhutdinov, 2006 (Science 313); surveyed in arXiv 2003.05991.

    With noise on the input it is the denoising autoencoder of Vincent et al. (2008; 2010, JMLR 11), whose letters
    these are: an encoder f, a decoder g, and the corrupted input. Both move together by one optimizer from the first
    step, without the layerwise pretraining of those years. The least error of `linear` is that of principal component
    analysis (Baldi and Hornik 1989), which proves the machinery right. The survey is by Bank, Koenigstein
    and Giryes, 2020.
    """

    when = "To reduce, to denoise, to find what does not fit in. It draws nothing new."
    Config = Settings
    tiny = Settings(z=4, width=4)
    plays_on = Images | Table

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        build = {"convolutional": convolutional, "dense": dense, "linear": linear}[config.network]
        self.f, self.g = build(config, shape)

    def players(self) -> dict[str, Player]:
        """One player, f and g, with Adam."""
        return {"AE": Player([self.f, self.g], partial(Adam, lr=self.config.rate), falling)}

    def turns(self) -> list[Turn]:
        """One turn."""
        return [Turn("AE", self.loss)]

    def plan(self) -> Plan:
        """Batches of 64."""
        return Plan(batch=64)

    def generator(self) -> Autoencoder:
        """Encodes."""
        return Autoencoder(Header(self.name(), self.settings(), self.shape), self.f, self.g)

    def loss(self, batch: Images | Table, clock: Clock) -> Moves:
        """Vincent et al. 2010, equations 2 and 8: |x - g(f(x~))|^2, the mean over the numbers of x."""
        error = (self.g(self.f(self.corrupted(batch.x))) - batch.x).square().mean()
        return error, {"error": error}

    def corrupted(self, x: Tensor) -> Tensor:
        """x~ ~ N(x, noise^2)."""
        return x + self.config.noise / 127.5 * torch.randn_like(x) if self.config.noise else x


class Autoencoder(Generator):
    """Encodes: f from pictures or rows to codes, g back."""

    def __init__(self, header: Header, f: nn.Module, g: nn.Module):
        super().__init__(header)
        self.f, self.g = f, g

    def encode(self, x: Tensor) -> Tensor:
        """Codes [n, z] of pictures [n, C, H, W] in [-1, 1] or of a table's rows [n, columns], standardised."""
        return self.f(x)

    def forward(self, z: Tensor) -> Tensor:
        """Pictures or rows, as `encode` takes them, from codes [n, z]."""
        return self.g(z)


def falling(clock: Clock) -> float:
    """Half a cosine, from 1 to 0 over the run."""
    return (1 + math.cos(math.pi * clock.fraction)) / 2


def linear(config: Settings, shape: DataShape) -> tuple[nn.Sequential, nn.Sequential]:
    """f and g of one layer each, without an activation; the biases take the mean.

    They begin as the projection on a chance plane and turn it: from weights that know nothing of each other the same
    error takes several times the steps.
    """
    f, g = flat(shape, [config.z])
    down, up = f.get_parameter("1.weight"), g.get_parameter("0.weight")
    nn.init.orthogonal_(down)
    up.data.copy_(down.T)
    return f, g


def dense(config: Settings, shape: DataShape) -> tuple[nn.Sequential, nn.Sequential]:
    """f and g with two hidden layers each; pictures end in a tanh."""
    f, g = flat(shape, [16 * config.width, 8 * config.width, config.z])
    return f, g if shape.height == 1 else g.append(nn.Tanh())


def convolutional(config: Settings, shape: DataShape) -> tuple[nn.Sequential, nn.Sequential]:
    """f and g for pictures; a table's are dense."""
    if shape.height == 1:
        return dense(config, shape)
    return encoder(shape, config.width, config.z), decoder(config.z, config.width, shape)


def flat(shape: DataShape, sizes: list[int]) -> tuple[nn.Sequential, nn.Sequential]:
    """Linear layers from all numbers of an example to these sizes in turn, and back again."""
    sizes = [shape.channels * shape.height * shape.width, *sizes]

    def chain(sizes: list[int]) -> nn.Sequential:
        return nn.Sequential(*[layer for a, b in pairwise(sizes) for layer in (nn.GELU(), nn.Linear(a, b))][1:])

    back = [] if shape.height == 1 else [Reshape(shape.channels, shape.height, shape.width)]
    return nn.Sequential(nn.Flatten(), *chain(sizes)), nn.Sequential(*chain(sizes[::-1]), *back)


def encoder(shape: DataShape, width: int, out: int) -> nn.Sequential:
    """From pictures [n, C, H, W] to [n, out]: strided convolutions with batch norm, down to 4 to 7 pixels a side."""
    widths = trunk(shape, width)
    layers: list[nn.Module] = []
    for narrow, wide in pairwise([shape.channels, *widths]):
        layers += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
    h, w = halved(shape.height, len(widths)), halved(shape.width, len(widths))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * h * w, out))


def decoder(z: int, width: int, shape: DataShape) -> nn.Sequential:
    """From codes [n, z] to pictures [n, C, H, W] in [-1, 1]: the encoder's mirror image."""
    widths = trunk(shape, width)
    _, h, w = doublings(shape)
    layers: list[nn.Module] = [nn.Linear(z, widths[-1] * h * w, bias=False), Reshape(widths[-1], h, w)]
    for wide, narrow in pairwise([*widths[::-1], shape.channels]):
        layers += [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2), nn.ConvTranspose2d(wide, narrow, 4, 2, 1)]
    return nn.Sequential(*layers, Crop(shape.height, shape.width), nn.Tanh())


def trunk(shape: DataShape, width: int) -> list[int]:
    """Channels after each halving, from the finest."""
    return [width * min(8, 2**i) for i in range(doublings(shape)[0])]
