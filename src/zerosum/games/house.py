"""House: our own default, for small machines, small data and short runs."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images, Source
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.layers.shapes import Crop, Reshape, doublings, halved
from zerosum.layers.standing import take_standing_statistics
from zerosum.layers.weights import steady_weights
from zerosum.losses.adversarial import says_fake, says_real
from zerosum.losses.levers import UNTOUCHED, Levers
from zerosum.losses.penalties import gradient_square


@dataclass(frozen=True)
class Settings:
    """Settings of house."""

    z: int = 128
    """Length of the latent vector, standard normal."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times."""
    rate: float = 8e-4
    """Adam's learning rate for both players."""
    gamma: float = 2.0
    """Weight of R1, the penalty on the discriminator's gradient at real pictures; 0 for none."""
    redraw: float = 2.0
    """Weight of G's error in redrawing reals from their codes; 0 for none, as beside levers that compare a batch."""
    lazy: int = 16
    """R1 is taken in one round of so many, and weighs as many times more."""
    levers: Levers = UNTOUCHED
    """Levers of balance, and against collapse."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate", "lazy"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        for name in ("gamma", "redraw"):
            require(getattr(self, name) >= 0, f"--{name} {getattr(self, name)}: wanted 0 or more.")
        require(not self.levers.r1, "--levers.r1: house has R1 from the start; --gamma is its weight.")


class House(Game):
    """Zerosum's default: slim strided convolutions, small batches, lazy R1, real pictures redrawn. Zerosum, 2026.

    What minutes on two cores can pay for. DCGAN's trunk (Radford et al. 2016, arXiv 1511.06434) at half the width and
    a quarter of the batch: ten times the steps in the same time, which in short runs counts for more than width. The
    discriminator has no norms, so that R1 (Mescheder et al. 2018, arXiv 1801.04406), taken lazily (Karras et al. 2020,
    arXiv 1912.04958, appendix B), is what holds it back. Non-saturating loss (Goodfellow et al. 2014, arXiv 1406.2661).

    G need not find out by the discriminator's word alone where the data lie: half of its latents are codes of real
    pictures, their whitened principal components, and it is to redraw these (as a VAE-GAN does, Larsen et al. 2016,
    arXiv 1512.09300, but with an encoder that takes a second to fit). So no kind of picture is left out for long.
    """

    when = "First: for your own pictures, in minutes, on a small machine."
    stems_from = "dcgan"
    restraint = "gamma"
    Config = Settings
    tiny = Settings(z=8, width=4, lazy=2)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        times, _, _ = doublings(shape)
        widths = [config.width * min(8, 2**i) for i in range(times)]  # fine to coarse
        self.G = generator(config.z, widths, shape)
        self.D = config.levers.judge(discriminator(widths, shape, config.levers))
        self.levers, self.past = config.levers, config.levers.memory(shape)
        compares = config.levers.deviation or config.levers.discrimination or config.levers.pack > 1
        self.redraws = config.redraw > 0 and not compares
        self.codes = Codes(config.z, shape)

    def meet(self, source: Source) -> None:
        """Fits the codes."""
        if self.redraws:
            self.codes.fit(source)

    def players(self) -> dict[str, Player]:
        """G and D, each with Adam."""
        adam, rate = partial(Adam, betas=(0.5, 0.999)), self.config.rate
        D = Player([self.D], partial(adam, lr=self.levers.ttur * rate))
        return {"D": D, "G": Player([self.G], partial(adam, lr=rate))}

    def turns(self) -> list[Turn]:
        """D, now and then its penalty, then G, all on one batch."""
        D = Turn("D", self.D_loss, times=self.levers.n_critic)
        R1 = Turn("D", self.R1, draws=False, every=self.config.lazy)
        penalties = [*([R1] if self.config.gamma else []), *self.levers.penalties(self.penalty)]
        return [D, *penalties, Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """Small batches: more steps in the time."""
        return Plan(batch=16)

    def generator(self) -> HouseGenerator:
        """Samples and Judges; Encodes where it learns to redraw."""
        parts = Header(self.name(), self.settings(), self.shape), self.G, self.config.z, self.D
        return Redrawer(self.codes, *parts) if self.redraws else HouseGenerator(*parts)

    def z(self, n: int) -> Tensor:
        """n fresh latents, float [n, z], standard normal."""
        return torch.randn(n, self.config.z, device=next(self.G.parameters()).device)

    def fakes(self, n: int) -> Tensor:
        """G(z) for n fresh z: float [n, C, H, W] in [-1, 1]."""
        return self.G(self.z(n))

    def D_loss(self, batch: Images, clock: Clock) -> Moves | None:
        """-log D(x) - log(1 - D(G(z)))."""
        with torch.no_grad():
            fake = self.past(self.fakes(len(batch)))
        real, fake = (self.D(self.levers.noisy(x, clock)) for x in (batch.x, fake))
        if self.levers.D_wins(real, fake):
            return None
        real_loss, fake_loss = says_real(real, self.levers.real), says_fake(fake, self.levers.fake)
        return real_loss + fake_loss, {"D_real": real_loss, "D_fake": fake_loss}

    def R1(self, batch: Images, clock: Clock) -> Moves:
        """gamma / 2 |grad D(x)|^2 on the round's reals (Mescheder et al. 2018, equation 9), times `lazy`."""
        penalty = gradient_square(self.D, batch.x)
        return self.config.lazy * self.config.gamma / 2 * penalty, {"R1": penalty}

    def penalty(self, batch: Images, clock: Clock) -> Moves:
        """R2, where its lever is pulled."""
        return self.levers.penalty(self.D, batch.x, self.fakes)

    def G_loss(self, batch: Images, clock: Clock) -> Moves:
        """-log D(G(z)), and of the half of z that are codes of reals x the mean of |G(z) - x|.

        D learns on pictures of noise alone: shown what is redrawn as fakes too, it told G less (see docs/house.md).
        """
        z, half = self.z(len(batch)), len(batch) // 2 if self.redraws else 0
        real = batch.x[:half]
        if half:
            z = torch.cat([self.codes(real), z[half:]])
        fake = self.G(z)
        loss = says_real(self.D(self.levers.noisy(fake, clock)))
        moves = loss + self.levers.sought(z[half:], fake[half:])
        if not half:
            return moves, {"G": loss}
        error = (fake[:half] - real).abs().mean()
        return moves + self.config.redraw * error, {"G": loss, "redrawn": error}


class HouseGenerator(LatentGenerator):
    """Samples and Judges; settled, it has standing statistics: in training, half a batch are redrawn pictures."""

    def settled(self) -> HouseGenerator:
        """A copy whose batch norms stand on 256 latents."""
        settled = copy.deepcopy(self)
        take_standing_statistics(settled.G, settled.latents(256, seed=0).to(self.device).split(64))
        return settled


class Redrawer(HouseGenerator):
    """It Encodes too, by the codes from which it has learnt to redraw real pictures."""

    def __init__(self, codes: Codes, *parts: Any):
        super().__init__(*parts)
        self.codes = codes

    def encode(self, x: Tensor) -> Tensor:
        """Latents [n, z] of pictures x [n, C, H, W] in [-1, 1]; 0 what their codes do not tell."""
        return self.codes.known(x)

    def as_saved(self, names: Collection[str]) -> HouseGenerator:
        """Files from before it encoded hold no codes."""
        return self if "codes.axes" in names else HouseGenerator(self.header, self.G, self.z_dim, self.judge)


class Codes(nn.Module):
    """Where real pictures lie among the latents: their principal components, each with variance 1, seen small.

    What pictures are too few to tell, one component for each `PER_COMPONENT`, is drawn like latents; unfitted, all is.
    """

    SIDE, PICTURES, PER_COMPONENT = 32, 2048, 10
    LEAST = 1e-3  # standard deviation of a component, where pictures lie in [-1, 1]: below it there is but rounding

    def __init__(self, z: int, shape: DataShape):
        super().__init__()
        self.size = (min(self.SIDE, shape.height), min(self.SIDE, shape.width))
        num = shape.channels * self.size[0] * self.size[1]
        self.mean = nn.Buffer(torch.zeros(num))
        self.axes = nn.Buffer(torch.zeros(num, z))

    def fit(self, source: Source) -> None:
        """From up to 2,048 pictures, evenly spread, by a randomised SVD (Halko et al. 2011); the same give the same."""
        chosen = np.unique(np.linspace(0, len(source) - 1, self.PICTURES).astype(int))
        parts = [part for part in np.array_split(chosen, 64) if len(part)]
        x = torch.cat([self.small(source.batch(part).x) for part in parts])  # type: ignore[attr-defined]
        self.mean.copy_(x.mean(0))
        self.axes.zero_()
        components = min(self.axes.shape[1], len(x) // self.PER_COMPONENT, *x.shape)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            _, sizes, axes = torch.svd_lowrank(x - x.mean(0), q=min(components + 8, *x.shape), niter=2)
        spread = sizes[:components] / (len(x) - 1) ** 0.5
        known = int((spread > self.LEAST).sum())  # none of pictures that are all the same
        self.axes[:, :known] = axes[:, :known] / spread[:known]

    def small(self, x: Tensor) -> Tensor:
        """float32 [n, values], pictures [n, C, H, W] at no more than 32 x 32 pixels."""
        return nn.functional.interpolate(x.float(), self.size, mode="area").flatten(1)

    def known(self, x: Tensor) -> Tensor:
        """Codes [n, z] of pictures x [n, C, H, W] in [-1, 1]; 0 where no component is known."""
        with torch.autocast(x.device.type, enabled=False):
            return (self.small(x) - self.mean) @ self.axes

    def forward(self, x: Tensor) -> Tensor:
        """The same, with noise in place of what is not known."""
        codes = self.known(x)
        return torch.where(self.axes.any(0), codes, torch.randn_like(codes))


def generator(z: int, widths: list[int], shape: DataShape) -> nn.Sequential:
    """From z [n, z] to pictures in [-1, 1]: a dense layer, then doublings with batch norm."""
    _, h, w = doublings(shape)
    layers: list[nn.Module] = [nn.Linear(z, widths[-1] * h * w, bias=False), Reshape(widths[-1], h, w)]
    for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
        layers += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(widths[0]), nn.ReLU(), nn.ConvTranspose2d(widths[0], shape.channels, 4, 2, 1)]
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0, 0.02)
    return nn.Sequential(*layers, Crop(shape.height, shape.width), nn.Tanh())


def discriminator(widths: list[int], shape: DataShape, levers: Levers = UNTOUCHED) -> nn.Sequential:
    """From pictures to logits [n, 1]: halvings without norms, initialised to keep the variance (He et al. 2015)."""
    layers: list[nn.Module] = []
    for narrow, wide in zip([levers.seen(shape).channels, *widths[:-1]], widths, strict=True):
        layers += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.LeakyReLU(0.2)]
    h, w = halved(shape.height, len(widths)), halved(shape.width, len(widths))
    layers += [nn.Flatten(), *levers.verdict(widths[-1] * h * w)]
    return nn.Sequential(*layers).apply(steady_weights)
