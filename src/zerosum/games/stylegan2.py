"""StyleGAN2: what a picture shall be is told to each layer as a style; with ADA, which few pictures need."""

from __future__ import annotations

import copy
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
from zerosum.games.progan import HE, from_rgb, verdict, widths_of
from zerosum.layers.augment import Augment
from zerosum.layers.equalised import EqualConv, EqualLinear, PixelNorm
from zerosum.layers.resample import HalvingConv, enlarged
from zerosum.layers.shapes import scales
from zerosum.losses.adversarial import says_fake, says_real
from zerosum.losses.penalties import gradient_square, path_lengths

PACE = 100_000  # images in which ada's p could go from 0 to 1; the paper's 500,000 are for runs of 25 million


@dataclass(frozen=True)
class Settings:
    """Settings of stylegan2."""

    z: int = 128
    """Length of the latent vector and of the styles w."""
    mapping: int = 4
    """Layers between z and w."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times."""
    rate: float = 2e-3
    """Adam's learning rate for both players; the mapping's is a hundredth of it."""
    gamma: float = 1.0
    """Weight of R1, the penalty on the discriminator's gradient at real pictures; 0 for none."""
    lazy: int = 16
    """R1 is taken in one round of so many, path length in twice as many, and weigh as many times more."""
    path: float = 1.0
    """Weight of path length regularisation, as a multiple of the paper's for this size; 0 for none."""
    mixing: float = 0.9
    """Share of fakes whose styles come from two latents, the second from some layer on."""
    ada: float = 0.6
    """D sees as many augmented pictures as hold the mean sign of its logits at real ones to this; 0 for none."""

    def __post_init__(self) -> None:
        for name in ("z", "mapping", "width", "rate", "lazy"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        for name, most in (("gamma", math.inf), ("path", math.inf), ("mixing", 1), ("ada", 1)):
            require(0 <= getattr(self, name) <= most, f"--{name} {getattr(self, name)}: wanted 0 to {most:g}.")


class StyleGAN2(Game):
    """StyleGAN2. Tero Karras, Samuli Laine, Miika Aittala, Janne Hellsten, Jaakko Lehtinen, Timo Aila, 2020, arXiv
    1912.04958; adaptive augmentation, Karras et al. 2020, arXiv 2006.06676.

    A mapping turns z into w, whose parts lie less tangled; w sets, layer by layer, how much each feature counts, and
    not how strong they are together. Skip generator, residual discriminator, non-saturating loss, lazy R1.
    """

    when = "For pictures to edit: styles lie less tangled than z. With few pictures too, thanks to ada. Hours on a CPU."
    stems_from = "progan"
    restraint = "gamma"
    Config = Settings
    tiny = Settings(z=8, mapping=2, width=2, lazy=2)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        widths = widths_of(config.width, shape, most=8)
        self.G = StyledG(config.z, config.mapping, widths, shape)
        halvings = [Residual(narrow, wide) for narrow, wide in pairwise(reversed(widths))]
        last = verdict(widths[0], widths[0], scales(shape)[0])
        self.D = nn.Sequential(from_rgb(shape.channels, widths[-1]), *halvings, last)
        self.augment = Augment()
        self.a = nn.Buffer(torch.zeros(()))  # the mean path length

    def players(self) -> dict[str, Player]:
        """G and D, each with Adam(0, 0.99), slowed by c = k / (k + 1) for the lazy turns' steps (appendix B)."""
        steps = 1 + (self.config.gamma > 0) / self.config.lazy, 1 + (self.config.path > 0) / (2 * self.config.lazy)
        D, G = (partial(Adam, lr=self.config.rate / n, betas=(0.0, 0.99 ** (1 / n))) for n in steps)
        return {"D": Player([self.D], D), "G": Player([self.G], G)}

    def turns(self) -> list[Turn]:
        """D, now and then R1, then G, now and then its path lengths."""
        R1 = [Turn("D", self.R1, draws=False, every=self.config.lazy)] if self.config.gamma else []
        path = [Turn("G", self.path_loss, draws=False, every=2 * self.config.lazy)] if self.config.path else []
        return [Turn("D", self.D_loss), *R1, Turn("G", self.G_loss, draws=False), *path]

    def plan(self) -> Plan:
        """Small batches, as house has them."""
        return Plan(batch=16)

    def generator(self) -> StyleGenerator:
        """Samples, Styles and Judges."""
        return StyleGenerator(Header(self.name(), self.settings(), self.shape), self.G, self.config.z, self.D)

    def styles(self, n: int) -> Tensor:
        """w of n fresh z, float [n, layers, z], some mixed: of another z from a layer on (Karras et al. 2019, 3.1)."""
        w, other = (self.G.map(torch.randn(n, self.config.z, device=self.a.device)) for _ in "zz")
        mixed = torch.rand(n, 1, device=w.device) < self.config.mixing
        later = torch.arange(w.shape[1], device=w.device) >= torch.randint(1, w.shape[1], (n, 1), device=w.device)
        return torch.where((mixed & later)[:, :, None], other, w)

    def D_loss(self, batch: Images, clock: Clock) -> Moves:
        """-log D(x) - log(1 - D(G(z))), all of it augmented; then ada looks how sure D is."""
        with torch.no_grad():
            fake = self.G(self.styles(len(batch)))
        real, made = self.D(self.augment(batch.x)), self.D(self.augment(fake))
        real_loss, fake_loss = says_real(real), says_fake(made)
        if self.config.ada:
            self.augment.adapt(real, self.config.ada, PACE, clock.images)
        return real_loss + fake_loss, {"D_real": real_loss, "D_fake": fake_loss, "augmented": self.augment.p}

    def R1(self, batch: Images, clock: Clock) -> Moves:
        """gamma / 2 |grad D(x)|^2 on the round's reals, augmented (Mescheder et al. 2018, equation 9), times `lazy`."""
        R1 = gradient_square(self.D, self.augment(batch.x))
        return self.config.lazy * self.config.gamma / 2 * R1, {"R1": R1}

    def G_loss(self, batch: Images, clock: Clock) -> Moves:
        """-log D(G(z)), augmented."""
        loss = says_real(self.D(self.augment(self.G(self.styles(len(batch))))))
        return loss, {"G": loss}

    def path_loss(self, batch: Images, clock: Clock) -> Moves:
        """(|J_w^T y| - a)^2 (equation 4), a their running mean, on half as many w as pictures; times how seldom it
        comes, and times gamma_pl = ln 2 / (r^2 (ln r - ln 2)), r^2 the number of pixels (appendix B)."""
        lengths = path_lengths(self.G, self.styles(max(1, len(batch) // 2)))
        with torch.no_grad():
            self.a.lerp_(lengths.mean(), 0.01)  # 1 - beta_pl
        penalty, pixels = (lengths - self.a).square().mean(), self.shape.height * self.shape.width
        gamma = self.config.path * math.log(2) / (pixels * (math.log(pixels) / 2 - math.log(2)))
        return 2 * self.config.lazy * gamma * penalty, {"path": penalty, "path_length": lengths.mean()}


class StyleGenerator(LatentGenerator):
    """Samples, Styles and Judges: w, float [n, layers, z], may differ from layer to layer."""

    G: StyledG

    def map(self, z: Tensor) -> Tensor:
        """w [n, layers, z] of latents z [n, z], the same at each layer."""
        return self.G.map(z)

    def synthesize(self, w: Tensor) -> Tensor:
        """Pictures, float [n, C, H, W] in [-1, 1], of w [n, layers, z]."""
        return self.G(w).clamp(-1, 1)

    def forward(self, z: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1] from z [n, z]."""
        return self.synthesize(self.map(z))

    def truncated(self, z: Tensor, psi: float) -> Tensor:
        """Pictures whose w lie psi times as far from the mean w (Karras et al. 2019, appendix B)."""
        return self.synthesize(torch.lerp(self.G.w_mean, self.map(z), psi))

    def settled(self) -> StyleGenerator:
        """A copy that knows the mean of w, over 4,096 latents."""
        settled = copy.deepcopy(self)
        with torch.no_grad():
            settled.G.w_mean.copy_(self.map(self.latents(4096, seed=0).to(self.device))[:, 0].float().mean(0))
        return settled


class StyledG(nn.Module):
    """The mapping f and the synthesis network: skip connections from each resolution's pixels (figure 7, b)."""

    def __init__(self, z: int, mapping: int, widths: list[int], shape: DataShape):
        super().__init__()
        dense = [layer for _ in range(mapping) for layer in (EqualLinear(z, z, HE, pace=0.01), nn.LeakyReLU(0.2))]
        self.f = nn.Sequential(PixelNorm(), *dense)
        sizes, wide = scales(shape), widths[0]
        self.constant = nn.Parameter(torch.randn(1, wide, *sizes[0]))
        self.layers = nn.ModuleList([Styled(z, wide, wide, sizes[0])])
        for before, here, size in zip(widths, widths[1:], sizes[1:], strict=False):
            self.layers.extend([Styled(z, before, here, size, up=True), Styled(z, here, here, size)])
        self.to_rgb = nn.ModuleList(ToRGB(z, width, shape.channels) for width in widths)
        self.w_mean = nn.Buffer(torch.zeros(z))

    def map(self, z: Tensor) -> Tensor:
        """w, float [n, layers, z], of z [n, z]: one for all layers."""
        return self.f(z)[:, None].expand(-1, len(self.layers) + 1, -1)

    def forward(self, w: Tensor) -> Tensor:
        """Pictures [n, C, H, W] of styles w [n, layers, z]."""
        h = self.layers[0](self.constant.expand(len(w), -1, -1, -1), w[:, 0])
        rgb = self.to_rgb[0](h, w[:, 1])
        for k, to_rgb in enumerate(self.to_rgb[1:], 1):  # type: ignore[arg-type]
            for i in (2 * k - 1, 2 * k):
                h = self.layers[i](h, w[:, i])
            coarser = nn.functional.interpolate(rgb, scale_factor=2, mode="bilinear")[:, :, : h.shape[2], : h.shape[3]]
            rgb = to_rgb(h, w[:, 2 * k + 1]) + coarser
        return rgb


class Styled(nn.Module):
    """A modulated convolution with noise (section 2.2, figure 2 c), which may double the size."""

    def __init__(self, z: int, inputs: int, outputs: int, size: tuple[int, int], up: bool = False):
        super().__init__()
        self.A, self.conv = EqualLinear(z, inputs, bias=1), EqualConv(inputs, outputs, 3)
        self.up, self.size = up, size
        self.strength = nn.Parameter(torch.zeros(1))
        self.noise = nn.Buffer(torch.randn(1, 1, *size))  # in use; in training it is new each time

    def forward(self, h: Tensor, w: Tensor) -> Tensor:
        h = modulated(h, self.conv.used, self.A(w), self.up)[:, :, : self.size[0], : self.size[1]]
        noise = torch.randn(len(h), 1, *self.size, device=h.device) if self.training else self.noise
        h = h + (self.strength * noise).to(h.dtype) + self.conv.get_parameter("bias")[:, None, None].to(h.dtype)
        return HE * nn.functional.leaky_relu(h, 0.2)


class ToRGB(nn.Module):
    """Features to pixels: modulated, and not demodulated, for here strength is what counts (appendix B)."""

    def __init__(self, z: int, inputs: int, channels: int):
        super().__init__()
        self.A, self.conv = EqualLinear(z, inputs, bias=1), EqualConv(inputs, channels, 1)

    def forward(self, h: Tensor, w: Tensor) -> Tensor:
        return self.conv(h * self.A(w)[:, :, None, None])


def modulated(h: Tensor, weight: Tensor, s: Tensor, up: bool = False) -> Tensor:
    """Equations (1) to (3): the convolution whose weights are scaled by s [n, inputs], a picture at a time, and brought
    to length 1. Scaling what goes in and what comes out is the same, and all pictures share the weights."""
    h = h * s[:, :, None, None]
    h = enlarged(h, weight) if up else nn.functional.conv2d(h, weight, padding=weight.shape[2] // 2)
    d = torch.rsqrt(s.float().square() @ weight.float().square().sum((2, 3)).T + 1e-8)
    return h * d[:, :, None, None].to(h.dtype)


class Residual(nn.Module):
    """Two convolutions at one scale of D, and a way past them, to half the size (figure 7, c)."""

    def __init__(self, narrow: int, wide: int):
        super().__init__()
        first, second = EqualConv(narrow, narrow, 3, HE), HalvingConv(narrow, wide, 3, HE)
        self.inner = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2))
        self.past = HalvingConv(narrow, wide, 1)

    def forward(self, h: Tensor) -> Tensor:
        return (self.inner(h) + self.past(h)) / math.sqrt(2)
