"""Levers of balance, and against collapse, that the plain games of G against D share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from zerosum.core.batch import DataShape
from zerosum.core.errors import require
from zerosum.core.game import Clock, Moves, Turn
from zerosum.layers.minibatch import Deviation, Discrimination, Packed
from zerosum.layers.replay import Replay
from zerosum.losses.penalties import gradient_square

LAZY = 4  # a penalty is taken in one round of so many, and weighs as many times more
SOFT = {"none": (1.0, 0.0), "one-sided": (0.9, 0.0), "two-sided": (0.9, 0.1)}  # targets of reals and fakes
BOUNDED = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Levers:
    """Levers of balance, and against collapse. None is pulled here. D: the discriminator, G: the generator."""

    ttur: float = 1.0
    """D's learning rate as a multiple of G's, which is --rate (two time scales: Heusel et al. 2017)."""
    n_critic: int = 1
    """Moves of D to one of G, each on a batch of its own (Goodfellow et al. 2014, algorithm 1)."""
    skip: float = 1.0
    """D passes its move while it ranks more than this share of the pairs, real and made, rightly; 1: never."""
    soft: Literal["none", "one-sided", "two-sided"] = "none"
    """Soft labels: D is to say 0.9 of real pictures; two-sided: and 0.1 of made ones (Salimans et al. 2016)."""
    noise: float = 0.0
    """Standard deviation of noise on all that D sees, where pictures lie in [-1, 1]; it falls to 0 over the run."""
    replay: int = 0
    """Fakes remembered out of all so far; half of those that D learns from are old ones."""
    deviation: bool = False
    """D is told how much a batch varies (minibatch standard deviation: Karras et al. 2018)."""
    discrimination: int = 0
    """Senses in which D is told how near a picture is to the others of its batch (Salimans et al. 2016)."""
    pack: int = 1
    """Pictures that D judges together (PacGAN: Lin et al. 2018)."""
    seek: float = 0.0
    """Weight of mode seeking: G is to make different pictures of different z (Mao et al. 2019)."""
    spectral: bool = False
    """Spectral norm on D's layers, in place of its batch norms (Miyato et al. 2018)."""
    r1: float = 0.0
    """Weight of R1, the penalty on D's gradient at real pictures (Mescheder et al. 2018)."""
    r2: float = 0.0
    """Weight of R2, the same at made pictures."""

    def __post_init__(self) -> None:
        for name in ("ttur", "n_critic", "pack"):
            require(getattr(self, name) > 0, f"--levers.{name} {getattr(self, name)}: wanted a number above 0.")
        for name in ("noise", "replay", "discrimination", "seek", "r1", "r2"):
            require(getattr(self, name) >= 0, f"--levers.{name} {getattr(self, name)}: wanted 0 or more.")
        require(0.5 <= self.skip <= 1, f"--levers.skip {self.skip}: wanted 0.5 (a coin's share) to 1 (never).")

    # ------------------------------------------------------------------------------------------ what D is built of

    def seen(self, shape: DataShape) -> DataShape:
        """The shape of what D sees at once."""
        return replace(shape, channels=self.pack * shape.channels)

    def verdict(self, features: int) -> list[nn.Module]:
        """D's last layers: from features [n, F] to logits [n, 1], past what tells of the batch."""
        layers: list[nn.Module] = [Deviation()] if self.deviation else []
        layers += [Discrimination(features + self.deviation, self.discrimination)] if self.discrimination else []
        return [*layers, nn.Linear(features + self.deviation + self.discrimination, 1)]

    def judge(self, D: nn.Sequential) -> nn.Module:
        """D, built for `seen` shapes, with spectral norm and packing where they are wanted."""
        if self.spectral:
            layers = (layer for layer in D if not isinstance(layer, nn.BatchNorm2d))
            D = nn.Sequential(*(spectral_norm(layer) if isinstance(layer, BOUNDED) else layer for layer in layers))
        return Packed(D, self.pack) if self.pack > 1 else D

    def memory(self, shape: DataShape) -> nn.Module:
        """What a batch of fakes, pictures [n, C, H, W] or rows [n, W], passes through before D learns from it."""
        size = (shape.channels, shape.height, shape.width) if shape.height > 1 else (shape.width,)
        return Replay(self.replay, size) if self.replay else nn.Identity()

    # --------------------------------------------------------------------------------------------- how it is played

    def penalties(self, penalty: Callable) -> list[Turn]:
        """D's turn by R1 and R2, every LAZY rounds; none where neither weighs anything."""
        return [Turn("D", penalty, draws=False, every=LAZY)] if self.r1 or self.r2 else []

    @property
    def real(self) -> float:
        """What D is to say of real pictures: 1, or 0.9 (Salimans et al. 2016, section 3.4)."""
        return SOFT[self.soft][0]

    @property
    def fake(self) -> float:
        """What D is to say of made pictures: 0, or 0.1."""
        return SOFT[self.soft][1]

    def noisy(self, x: Tensor, clock: Clock) -> Tensor:
        """What D sees of x: Gaussian noise lets real and made meet (Arjovsky & Bottou 2017, arXiv 1701.04862,
        section 3), and falls linearly to nothing."""
        sigma = self.noise * (1 - clock.fraction)
        return x + sigma * torch.randn_like(x) if sigma else x

    def D_wins(self, real: Tensor, fake: Tensor) -> bool:
        """Whether D's logits rank more than `skip` of the pairs of a real picture and a made one rightly."""
        return self.skip < 1 and balance(real, fake) > self.skip

    def sought(self, z: Tensor, fake: Tensor) -> Tensor | float:
        """What G pays for pictures that are alike; see `mode_seeking`."""
        return self.seek * mode_seeking(z, fake) if self.seek else 0.0

    def penalty(self, D: nn.Module, x: Tensor, fakes: Callable[[int], Tensor]) -> Moves:
        """r1 / 2 |grad D(x)|^2 + r2 / 2 |grad D(G(z))|^2 (Mescheder et al. 2018, equations 9 and 10), times LAZY."""
        notes = {}
        if self.r1:
            notes["R1"] = gradient_square(D, x)
        if self.r2:
            with torch.no_grad():
                fake = fakes(len(x))
            notes["R2"] = gradient_square(D, fake)
        return LAZY / 2 * sum((getattr(self, n.lower()) * value for n, value in notes.items()), x.new_zeros(())), notes


UNTOUCHED = Levers()


def balance(real: Tensor, fake: Tensor) -> float:
    """The share of pairs in which the real picture has the higher logit; 1/2: D can tell nothing."""
    return float((real.detach().flatten()[:, None] > fake.detach().flatten()).float().mean())


def mode_seeking(z: Tensor, fake: Tensor, least: float = 1e-5) -> Tensor:
    """1 / (d(G(z1), G(z2)) / d(z1, z2)), where d is the mean absolute difference, over neighbours in the batch.

    Mao et al. 2019 (arXiv 1903.05628), equation (2), asks for the ratio to be large; its inverse, unlike its negative,
    has a least value, so that little is gained by ever wilder pictures.
    """
    apart, of_z = ((x - x.roll(1, 0)).float().abs().flatten(1).mean(1) for x in (fake, z))
    return 1 / ((apart / (of_z + least)).mean() + least)
