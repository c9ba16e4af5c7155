"""GAN: the first one, fully connected: a generator against a discriminator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.layers.shapes import Reshape
from zerosum.losses.adversarial import minimax, says_fake, says_real
from zerosum.losses.levers import UNTOUCHED, Levers


@dataclass(frozen=True)
class Settings:
    """Settings of gan."""

    z: int = 64
    """Length of the latent vector, standard normal."""
    width: int = 256
    """Units in each of the two hidden layers of G and of D."""
    rate: float = 1e-3
    """Adam's learning rate for both players."""
    beta1: float = 0.5
    """Adam's first moment for both players."""
    loss: Literal["nonsaturating", "minimax"] = "nonsaturating"
    """What G lowers: -log D(G(z)), or log(1 - D(G(z))), whose gradient vanishes where D is sure."""
    n_critic: int = 1
    """Steps of D to one of G: the k of algorithm 1."""
    levers: Levers = UNTOUCHED
    """Levers of balance, and against collapse."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate", "n_critic"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(0 <= self.beta1 < 1, f"--beta1 {self.beta1}: wanted at least 0 and less than 1.")
        require(self.levers.n_critic == 1, "--levers.n_critic: gan's own --n_critic is the same: set that one.")


class GAN(Game):
    """Generative adversarial nets. Ian Goodfellow, Jean Pouget-Abadie, Mehdi Mirza, Bing Xu, David Warde-Farley,
    Sherjil Ozair, Aaron Courville, Yoshua Bengio, 2014, arXiv 1406.2661.

    Algorithm 1 with the perceptrons of section 5. Where the paper's D has maxout and dropout, this one has LeakyReLU;
    Adam stands for gradient descent with momentum; z is normal, and pictures end in tanh, as they lie in [-1, 1]. G's
    hidden layers have batch norm on pictures, where it saves most of the steps. On a table G has neither that nor the
    tanh, for its columns have no bounds.
    """

    when = "To learn the game itself in minutes, on digits or a table; for other pictures dcgan is the better one."
    restraint = "levers.r1"
    Config = Settings
    tiny = Settings(z=4, width=8)
    plays_on = Images | Table

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        size = shape.channels * shape.height * shape.width
        hidden = [config.width, config.width]
        if shape.height == 1:
            self.G = perceptron([config.z, *hidden, size])
        else:
            as_picture = [nn.Tanh(), Reshape(shape.channels, shape.height, shape.width)]
            self.G = perceptron([config.z, *hidden, size], as_picture, nn.BatchNorm1d)
        self.levers, self.past = config.levers, config.levers.memory(shape)
        judged = [*perceptron([self.levers.pack * size, *hidden]), nn.LeakyReLU(0.2)]
        self.D = self.levers.judge(nn.Sequential(nn.Flatten(), *judged, *self.levers.verdict(config.width)))

    def players(self) -> dict[str, Player]:
        """G and D, each with Adam."""
        adam, rate = partial(Adam, betas=(self.config.beta1, 0.999)), self.config.rate
        D = Player([self.D], partial(adam, lr=self.levers.ttur * rate))
        return {"D": D, "G": Player([self.G], partial(adam, lr=rate))}

    def turns(self) -> list[Turn]:
        """Algorithm 1: D k times, each on its own batch, then G."""
        D = Turn("D", self.D_loss, times=self.config.n_critic)
        return [D, *self.levers.penalties(self.penalty), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """Batches of 64."""
        return Plan(batch=64)

    def generator(self) -> LatentGenerator:
        """Samples and Judges."""
        return LatentGenerator(Header(self.name(), self.settings(), self.shape), self.G, self.config.z, self.D)

    def z(self, n: int) -> Tensor:
        """n fresh latents, float [n, z], standard normal."""
        return torch.randn(n, self.config.z, device=next(self.G.parameters()).device)

    def fakes(self, n: int) -> Tensor:
        """G(z) for n fresh z: pictures [n, C, H, W] in [-1, 1], or rows [n, columns]."""
        return self.G(self.z(n))

    def D_loss(self, batch: Images | Table, clock: Clock) -> Moves | None:
        """Algorithm 1, D's step: -log D(x) - log(1 - D(G(z)))."""
        with torch.no_grad():
            fake = self.past(self.fakes(len(batch)))
        real, fake = (self.D(self.levers.noisy(x, clock)) for x in (batch.x, fake))
        if self.levers.D_wins(real, fake):
            return None
        real_loss, fake_loss = says_real(real, self.levers.real), says_fake(fake, self.levers.fake)
        return real_loss + fake_loss, {"D_real": real_loss, "D_fake": fake_loss}

    def penalty(self, batch: Images | Table, clock: Clock) -> Moves:
        """R1 and R2, where their levers are pulled."""
        return self.levers.penalty(self.D, batch.x, self.fakes)

    def G_loss(self, batch: Images | Table, clock: Clock) -> Moves:
        """Algorithm 1, G's step: log(1 - D(G(z))); or section 3's -log D(G(z)), strong where that saturates."""
        z = self.z(len(batch))
        fake = self.G(z)
        logits = self.D(self.levers.noisy(fake, clock))
        loss = minimax(logits) if self.config.loss == "minimax" else says_real(logits)
        return loss + self.levers.sought(z, fake), {"G": loss}


def perceptron(
    sizes: Sequence[int], end: Sequence[nn.Module] = (), norm: Callable[[int], nn.Module] | None = None
) -> nn.Sequential:
    """Dense layers from [n, first size] to [n, last size], `norm` and LeakyReLU between them; `end` after the last."""
    layers: list[nn.Module] = []
    for before, hidden in pairwise(sizes[:-1]):
        layers += [nn.Linear(before, hidden), *([norm(hidden)] if norm else []), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]), *end)
