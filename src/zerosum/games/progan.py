"""ProGAN: begins with a few pixels and grows, layer by layer, while it learns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.layers.equalised import EqualConv, EqualLinear, PixelNorm
from zerosum.layers.minibatch import Deviation
from zerosum.layers.shapes import Reshape, averaged, doubled, scales
from zerosum.losses.adversarial import wasserstein
from zerosum.losses.penalties import gradient_penalty

HE = math.sqrt(2)  # gain before a leaky ReLU (He et al. 2015)


@dataclass(frozen=True)
class Settings:
    """Settings of progan."""

    z: int = 128
    """Length of the latent vector, standard normal, brought to one length."""
    width: int = 16
    """Channels at the finest resolution; each halving doubles them, up to 16 times."""
    growth: float = 0.7
    """The part of the run in which the networks grow; for the rest they play at full size."""
    rate: float = 1e-3
    """Adam's learning rate for both players."""
    gp: float = 10.0
    """Weight of the gradient penalty, lambda."""
    lazy: int = 4
    """The penalty is taken in one round of so many, and weighs as many times more; 1 as in the paper."""
    drift: float = 1e-3
    """Weight of the square of D's values at real pictures, which keeps them near 0."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate", "lazy"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        for name in ("gp", "drift"):
            require(getattr(self, name) >= 0, f"--{name} {getattr(self, name)}: wanted 0 or more.")
        require(0 < self.growth <= 1, f"--growth {self.growth}: wanted more than 0 and at most 1.")


class ProGAN(Game):
    """Progressive growing of GANs. Tero Karras, Timo Aila, Samuli Laine, Jaakko Lehtinen, 2018, arXiv 1710.10196.

    G and D begin at 4 pixels a side. A new pair of layers is faded in at a time, alpha from 0 to 1, then all learn for
    as long again, until the pictures have their full size: first what a picture is, then how it looks from near. Small
    pictures are cheap, so most of a run is. Equalised learning rate, pixel norm, minibatch deviation, WGAN-GP.
    """

    when = "To see a network grow; for 128 pixels and more with hours to spend. Below that house is quicker."
    stems_from = "wgan_gp"
    Config = Settings
    tiny = Settings(z=8, width=2, growth=0.02)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        widths = widths_of(config.width, shape)
        self.G, self.D = GrowingG(config.z, widths, shape), GrowingD(widths, shape)

    def players(self) -> dict[str, Player]:
        """Adam(0, 0.99) for both (appendix A.1)."""
        adam = partial(Adam, lr=self.config.rate, betas=(0.0, 0.99), eps=1e-8)
        return {"D": Player([self.D], adam), "G": Player([self.G], adam)}

    def turns(self) -> list[Turn]:
        """D, its penalty, then G, all on one batch: n_critic is 1 (appendix A.1)."""
        penalty = Turn("D", self.penalty, draws=False, every=self.config.lazy)
        return [Turn("D", self.D_loss), *([penalty] if self.config.gp else []), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """The paper's 16 pictures a batch of its larger resolutions."""
        return Plan(batch=16)

    def generator(self) -> GrownGenerator:
        """Samples and Judges, at any depth, in pictures of full size."""
        return GrownGenerator(Header(self.name(), self.settings(), self.shape), self.G, self.config.z, self.D)

    def fakes(self, n: int) -> Tensor:
        """G(z) for n fresh z, at the size that G has grown to."""
        return self.G(torch.randn(n, self.config.z, device=self.G.depth.device))

    def grow(self, clock: Clock) -> None:
        """Sets how deep both networks are by the clock."""
        depth = depth_at(clock.fraction / self.config.growth, len(self.G.blocks))
        self.G.depth.fill_(depth)
        self.D.depth.fill_(depth)

    def D_loss(self, batch: Images, clock: Clock) -> Moves:
        """D(G(z)) - D(x) + drift D(x)^2 (appendix A.1)."""
        self.grow(clock)
        with torch.no_grad():
            fake = self.fakes(len(batch))
        real = self.D(self.D.seen(batch.x))
        w = wasserstein(real, self.D(fake))
        return self.config.drift * real.float().square().mean() - w, {"wasserstein": w}

    def penalty(self, batch: Images, clock: Clock) -> Moves:
        """lambda (|grad D| - 1)^2 (Gulrajani et al. 2017, equation 3) at the size of the hour, times `lazy`."""
        with torch.no_grad():
            real, fake = self.D.seen(batch.x), self.fakes(len(batch))
        gp = gradient_penalty(self.D, real, fake)
        return self.config.lazy * self.config.gp * gp, {"gp": gp}

    def G_loss(self, batch: Images, clock: Clock) -> Moves:
        """-D(G(z))."""
        loss = -self.D(self.fakes(len(batch))).float().mean()
        return loss, {"G": loss}


class GrownGenerator(LatentGenerator):
    """Samples and Judges: pictures of full size at any depth; what has not grown yet is shown in large pixels."""

    G: GrowingG

    def forward(self, z: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1] from z [n, z]."""
        x, sizes = self.G(z), scales(self.header.shape)
        for size in sizes[stage_of(self.G.depth)[0] + 1 :]:
            x = doubled(x, size)
        return x.clamp(-1, 1)

    def score(self, x: Tensor) -> Tensor:
        """D's values [n] of pictures x, float [n, C, H, W] in [-1, 1], seen as small as it has grown."""
        return super().score(self.judge.seen(x) if isinstance(self.judge, GrowingD) else x)


def depth_at(grown: float, times: int) -> float:
    """How deep the networks are, from 0 to `times`, when the part `grown` of the growth is over: equal spells of
    playing at a depth and of fading to the next; the last fade ends with the growth (appendix A)."""
    spell, part = divmod(2 * times * min(grown, 1.0), 1)
    return spell // 2 + part * (spell % 2)


def stage_of(depth: Tensor) -> tuple[int, float]:
    """How many doublings are in use, and alpha, in (0, 1]: how much of the last is faded in."""
    stage = math.ceil(float(depth))
    return stage, float(depth) - stage + 1


def widths_of(width: int, shape: DataShape, most: int = 16) -> list[int]:
    """Channels at each of `scales`, coarse to fine: `width` at the finest, doubled with each halving."""
    return [width * min(most, 2**k) for k in reversed(range(len(scales(shape))))]


class GrowingG(nn.Module):
    """From z [n, z] to pictures as large as `depth` says; `depth` counts doublings, a fade in its fraction."""

    def __init__(self, z: int, widths: list[int], shape: DataShape):
        super().__init__()
        self.sizes = scales(shape)
        self.first = nn.Sequential(*dense(z, widths[0], self.sizes[0]), *convolved(widths[0], widths[0]))
        self.blocks = nn.ModuleList(up_block(wide, narrow) for wide, narrow in pairwise(widths))
        self.to_rgb = nn.ModuleList(EqualConv(wide, shape.channels, 1) for wide in widths)
        self.depth = nn.Buffer(torch.zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        stage, alpha = stage_of(self.depth)
        coarse = fine = self.first(z)
        for size, block in zip(self.sizes[1 : stage + 1], self.blocks, strict=False):
            coarse, fine = fine, block(doubled(fine, size))
        x = self.to_rgb[stage](fine)
        return x if alpha == 1 else torch.lerp(doubled(self.to_rgb[stage - 1](coarse), self.sizes[stage]), x, alpha)


class GrowingD(nn.Module):
    """From pictures at the size of `depth` to values [n, 1]: G's mirror image."""

    def __init__(self, widths: list[int], shape: DataShape):
        super().__init__()
        self.from_rgb = nn.ModuleList(from_rgb(shape.channels, wide) for wide in widths)
        self.blocks = nn.ModuleList(down_block(narrow, narrow, wide) for wide, narrow in pairwise(widths))
        self.last = verdict(widths[0], widths[0], scales(shape)[0])
        self.depth = nn.Buffer(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        stage, alpha = stage_of(self.depth)
        h = self.from_rgb[stage](x)
        for k in range(stage, 0, -1):
            h = averaged(self.blocks[k - 1](h))
            if k == stage and alpha < 1:
                h = torch.lerp(self.from_rgb[k - 1](averaged(x)), h, alpha)
        return self.last(h)

    def seen(self, x: Tensor) -> Tensor:
        """Pictures x [n, C, H, W] of full size at the size of `depth`, in a fade as blurred as the fakes (figure 2)."""
        stage, alpha = stage_of(self.depth)
        for _ in range(len(self.blocks) - stage):
            x = averaged(x)
        size = (x.shape[2], x.shape[3])
        return x if alpha == 1 else torch.lerp(doubled(averaged(x), size), x, alpha)


def normed() -> list[nn.Module]:
    """What follows each convolution of G."""
    return [nn.LeakyReLU(0.2), PixelNorm()]


def dense(z: int, outputs: int, size: tuple[int, int]) -> list[nn.Module]:
    """From z [n, z] to features [n, outputs, *size]: a dense layer, each pixel reached by all of z (table 2)."""
    h, w = size
    return [PixelNorm(), EqualLinear(z, outputs * h * w, HE / 4), Reshape(outputs, h, w), *normed()]


def convolved(inputs: int, outputs: int) -> list[nn.Module]:
    """A convolution of G."""
    return [EqualConv(inputs, outputs, 3, HE), *normed()]


def up_block(wide: int, narrow: int) -> nn.Sequential:
    """G's layers at one scale (table 2)."""
    return nn.Sequential(*convolved(wide, narrow), *convolved(narrow, narrow))


def from_rgb(channels: int, outputs: int) -> nn.Sequential:
    """D's features of a picture's pixels."""
    return nn.Sequential(EqualConv(channels, outputs, 1, HE), nn.LeakyReLU(0.2))


def down_block(inputs: int, narrow: int, wide: int) -> nn.Sequential:
    """D's layers at one scale; its features are then averaged to the next."""
    first, second = EqualConv(inputs, narrow, 3, HE), EqualConv(narrow, wide, 3, HE)
    return nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2))


def verdict(inputs: int, width: int, size: tuple[int, int]) -> nn.Sequential:
    """D's last layers, from features [n, inputs, *size] to a value [n, 1]; told how much the batch varies."""
    h, w = size
    seen = [Deviation(), EqualConv(inputs + 1, width, 3, HE), nn.LeakyReLU(0.2), nn.Flatten()]
    return nn.Sequential(*seen, EqualLinear(width * h * w, width, HE), nn.LeakyReLU(0.2), EqualLinear(width, 1))
