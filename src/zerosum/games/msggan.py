"""MSG-GAN: D sees what G makes at every scale at once, so that each of G's layers is told what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import RMSprop

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.games.progan import convolved, dense, down_block, from_rgb, up_block, verdict, widths_of
from zerosum.layers.equalised import EqualConv
from zerosum.layers.minibatch import Deviation
from zerosum.layers.shapes import averaged, doubled, scales
from zerosum.losses.adversarial import wasserstein


@dataclass(frozen=True)
class Settings:
    """Settings of msggan."""

    z: int = 128
    """Length of the latent vector, standard normal, brought to one length."""
    width: int = 16
    """Channels at the finest resolution; each halving doubles them, up to 16 times."""
    rate: float = 3e-3
    """RMSprop's learning rate for both players."""
    gp: float = 10.0
    """Weight of the gradient penalty, lambda."""
    lazy: int = 4
    """The penalty is taken in one round of so many, and weighs as many times more; 1 as in the paper."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate", "lazy"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(self.gp >= 0, f"--gp {self.gp}: wanted 0 or more.")


class MSGGAN(Game):
    """Multi-scale gradient GAN. Animesh Karnewar, Oliver Wang, 2020, arXiv 1903.06048.

    ProGAN's networks, all of them from the start. Each of G's scales makes a picture of its own, and D takes them in
    where it works at that scale: so D's word reaches every layer of G by a short way, and nothing need grow or fade.
    MSG-ProGAN, WGAN-GP, RMSprop; D joins a picture to its features as they are (phi_simple, section 3).
    """

    when = "Like progan, without the schedule: one run of any length, all layers learning from the start."
    stems_from = "progan"
    Config = Settings
    tiny = Settings(z=8, width=2, lazy=2)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        widths = widths_of(config.width, shape)
        self.G, self.D = AllScalesG(config.z, widths, shape), AllScalesD(widths, shape)

    def players(self) -> dict[str, Player]:
        """RMSprop for both (section 3.1)."""
        rms = partial(RMSprop, lr=self.config.rate)
        return {"D": Player([self.D], rms), "G": Player([self.G], rms)}

    def turns(self) -> list[Turn]:
        """D, now and then its penalty, then G, all on one batch."""
        penalty = Turn("D", self.penalty, draws=False, every=self.config.lazy)
        return [Turn("D", self.D_loss), *([penalty] if self.config.gp else []), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """The batches of progan, beside which it stands."""
        return Plan(batch=16)

    def generator(self) -> FinestGenerator:
        """Samples and Judges."""
        return FinestGenerator(Header(self.name(), self.settings(), self.shape), self.G, self.config.z, self.D)

    def fakes(self, n: int) -> list[Tensor]:
        """G(z) at each scale, coarse to fine, for n fresh z."""
        return self.G(torch.randn(n, self.config.z, device=next(self.G.parameters()).device))

    def D_loss(self, batch: Images, clock: Clock) -> Moves:
        """D(G(z)) - D(x), of pictures at all scales (section 3)."""
        with torch.no_grad():
            fake = self.fakes(len(batch))
        w = wasserstein(self.D(pyramid(batch.x, len(fake))), self.D(fake))
        return -w, {"wasserstein": w}

    def penalty(self, batch: Images, clock: Clock) -> Moves:
        """lambda (|grad D| - 1)^2, the mean over the scales, times `lazy`."""
        with torch.no_grad():
            fake = self.fakes(len(batch))
        gp = penalty_at_scales(self.D, pyramid(batch.x, len(fake)), fake)
        return self.config.lazy * self.config.gp * gp, {"gp": gp}

    def G_loss(self, batch: Images, clock: Clock) -> Moves:
        """-D(G(z)) of all scales."""
        loss = -self.D(self.fakes(len(batch))).float().mean()
        return loss, {"G": loss}


class FinestGenerator(LatentGenerator):
    """Samples and Judges: the picture of the finest scale is the one that is shown."""

    def forward(self, z: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1] from z [n, z]."""
        return self.G(z)[-1].clamp(-1, 1)

    def score(self, x: Tensor) -> Tensor:
        """D's values [n] of pictures x, float [n, C, H, W] in [-1, 1], shown to it at all scales."""
        return super().score(pyramid(x, len(scales(self.header.shape))))  # type: ignore[arg-type]


def pyramid(x: Tensor, num: int) -> list[Tensor]:
    """Pictures x [n, C, H, W] at `num` scales, coarse to fine, the last as they are."""
    found = [x]
    while len(found) < num:
        found.insert(0, averaged(found[0]))
    return found


def penalty_at_scales(D: nn.Module, real: Sequence[Tensor], fake: Sequence[Tensor]) -> Tensor:
    """The gradient penalty of a D that takes several pictures: the mean of (|grad D(x_s)| - 1)^2 over scales s.

    Gulrajani et al. 2017 (arXiv 1704.00028), equation 3; the mean over the inputs is MSG-GAN's (section 3). One eps a
    pair, for all its scales. In float32, whatever the autocast around it.
    """
    device = real[0].device
    with torch.autocast(device.type, enabled=False):
        eps = torch.rand(len(real[0]), 1, 1, 1, device=device)
        x = [
            torch.lerp(f.float(), r.float(), eps).detach().requires_grad_(True) for r, f in zip(real, fake, strict=True)
        ]
        gradients = torch.autograd.grad(D(x).sum(), x, create_graph=True)
        return torch.stack([(g.flatten(1).norm(dim=1) - 1).square().mean() for g in gradients]).mean()


class AllScalesG(nn.Module):
    """From z [n, z] to a picture at each of `scales`, coarse to fine."""

    def __init__(self, z: int, widths: list[int], shape: DataShape):
        super().__init__()
        self.sizes = scales(shape)
        self.first = nn.Sequential(*dense(z, widths[0], self.sizes[0]), *convolved(widths[0], widths[0]))
        self.blocks = nn.ModuleList(up_block(wide, narrow) for wide, narrow in pairwise(widths))
        self.to_rgb = nn.ModuleList(EqualConv(wide, shape.channels, 1) for wide in widths)

    def forward(self, z: Tensor) -> list[Tensor]:
        features = [self.first(z)]
        for size, block in zip(self.sizes[1:], self.blocks, strict=True):
            features.append(block(doubled(features[-1], size)))
        return [to_rgb(h) for to_rgb, h in zip(self.to_rgb, features, strict=True)]


class AllScalesD(nn.Module):
    """From pictures at all scales, coarse to fine, to values [n, 1]: each joins the features where D works at its size,
    and at each size D is told how much the batch varies."""

    def __init__(self, widths: list[int], shape: DataShape):
        super().__init__()
        self.from_rgb = from_rgb(shape.channels, widths[-1])
        taken = [shape.channels + 1] * (len(widths) - 2) + [1]  # beside the features: the picture, and the deviation
        self.blocks = nn.ModuleList(
            nn.Sequential(Deviation(), down_block(narrow + more, narrow, wide))
            for (wide, narrow), more in zip(pairwise(widths), taken, strict=True)
        )
        self.last = verdict(widths[0] + shape.channels, widths[0], scales(shape)[0])

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        h = self.from_rgb(x[-1])
        for block, seen in zip(reversed(self.blocks), reversed(x[:-1]), strict=True):
            h = averaged(block(h))
            h = torch.cat([h, seen.to(h.dtype)], 1)
        return self.last(h)
