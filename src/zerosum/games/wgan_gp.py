"""WGAN: a critic whose gradient does not vanish, held by a gradient penalty or by clipping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam, RMSprop

from zerosum.core.batch import DataShape, Images, Table
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.games.gan import perceptron
from zerosum.games.house import discriminator, generator
from zerosum.layers.shapes import doublings
from zerosum.losses.adversarial import wasserstein
from zerosum.losses.penalties import gradient_penalty


@dataclass(frozen=True)
class Settings:
    """Settings of wgan_gp."""

    constraint: Literal["gp", "clip"] = "gp"
    """What keeps the critic's slope near 1 or below: a gradient penalty, or weights clipped after each step."""
    z: int = 128
    """Length of the latent vector, standard normal."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times. A table's layers have 8 times it."""
    n_critic: int = 5
    """Steps of the critic to one of G."""
    gp: float = 10.0
    """The penalty's weight, lambda."""
    clip: float = 0.01
    """With `clip`: the critic's weights stay in [-clip, clip]."""
    rate: float | None = None
    """Learning rate for both players; by default the papers', 1e-4 (Adam) with gp and 5e-5 (RMSprop) with clip."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "n_critic", "clip"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(self.gp >= 0, f"--gp {self.gp}: wanted 0 or more.")
        require(self.rate is None or self.rate > 0, f"--rate {self.rate}: wanted a number above 0.")


class WGANGP(Game):
    """Wasserstein GAN with gradient penalty. Ishaan Gulrajani, Faruk Ahmed, Martin Arjovsky, Vincent Dumoulin, Aaron
    Courville, 2017, arXiv 1704.00028; with `clip` that of Martin Arjovsky, Soumith Chintala, Leon Bottou, 2017, arXiv
    1701.07875.

    D is the critic: its values are no probabilities. Both papers play with several networks; these are strided
    convolutions, batch norm in G alone, as the penalty is on each picture by itself. A table has perceptrons.
    """

    when = "Where D wins at once and G learns nothing; and for a loss that falls as the pictures get better. Slow."
    stems_from = "gan"
    Config = Settings
    tiny = Settings(z=8, width=4, n_critic=2)
    plays_on = Images | Table

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        if shape.height == 1:
            hidden = [8 * config.width, 8 * config.width]
            self.G: nn.Module = perceptron([config.z, *hidden, shape.width])
            self.D: nn.Module = perceptron([shape.width, *hidden, 1])
        else:
            widths = [config.width * min(8, 2**i) for i in range(doublings(shape)[0])]  # fine to coarse
            self.G, self.D = generator(config.z, widths, shape), discriminator(widths, shape)

    def players(self) -> dict[str, Player]:
        """G and D: Adam(0, 0.9) with the penalty; RMSprop with clipping, as momentum made it unstable."""
        rate = self.config.rate
        if self.config.constraint == "clip":
            rms = partial(RMSprop, lr=rate or 5e-5)
            return {"D": Player([self.D], rms, after_step=self.clip), "G": Player([self.G], rms)}
        adam = partial(Adam, lr=rate or 1e-4, betas=(0.0, 0.9))
        return {"D": Player([self.D], adam), "G": Player([self.G], adam)}

    def turns(self) -> list[Turn]:
        """Algorithm 1: D n_critic times, each on its own batch, then G."""
        return [Turn("D", self.D_loss, times=self.config.n_critic), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """The papers' batches of 64."""
        return Plan(batch=64)

    def generator(self) -> LatentGenerator:
        """Samples and Judges."""
        return LatentGenerator(Header(self.name(), self.settings(), self.shape), self.G, self.config.z, self.D)

    def fakes(self, n: int) -> Tensor:
        """G(z) for n fresh z: pictures [n, C, H, W] in [-1, 1], or rows [n, columns]."""
        return self.G(torch.randn(n, self.config.z, device=next(self.G.parameters()).device))

    def D_loss(self, batch: Images | Table, clock: Clock) -> Moves:
        """Algorithm 1, lines 4 to 8 (equation 3): D(G(z)) - D(x) + lambda (|grad D| - 1)^2; clipped, without the last.

        The note `wasserstein` is the critic's value, which estimates the distance up to the critic's slope.
        """
        with torch.no_grad():
            fake = self.fakes(len(batch))
        w = wasserstein(self.D(batch.x), self.D(fake))
        if self.config.constraint == "clip":
            return -w, {"wasserstein": w}
        gp = gradient_penalty(self.D, batch.x, fake)
        return self.config.gp * gp - w, {"wasserstein": w, "gp": gp}

    def G_loss(self, batch: Images | Table, clock: Clock) -> Moves:
        """Line 12: -D(G(z))."""
        loss = -self.D(self.fakes(len(batch))).float().mean()
        return loss, {"G": loss}

    def clip(self) -> None:
        """Arjovsky et al. 2017, algorithm 1, line 7: each weight of D to [-clip, clip]."""
        for weight in self.D.parameters():
            weight.clamp_(-self.config.clip, self.config.clip)
