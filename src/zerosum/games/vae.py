"""VAE: an autoencoder whose codes follow a distribution that one can draw from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.games.ae import decoder, encoder, falling

GREY_LEVEL = 2 / 255  # of pictures in [-1, 1]
ACTIVE = 0.01


@dataclass(frozen=True)
class Settings:
    """Settings of vae."""

    z: int = 32
    """Length of the latent vector, standard normal."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times."""
    rate: float = 1e-3
    """Adam's learning rate at the start; a cosine takes it to 0 at the end."""
    sigma: float = 0.0
    """Deviation of a pixel from what is decoded, in [-1, 1]; 0 for each batch's likeliest, so that beta can be 1."""
    beta: float = 1.0
    """Weight of the divergence from the prior; above 1, fewer latents carry more orderly factors."""
    anneal: float = 0.0
    """Fraction of the run over which beta grows from 0."""
    free_bits: float = 0.0
    """Nats of each latent that cost nothing, so that it stays in use."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        for name in ("sigma", "beta", "free_bits"):
            require(getattr(self, name) >= 0, f"--{name} {getattr(self, name)}: wanted 0 or more.")
        require(0 <= self.anneal <= 1, f"--anneal {self.anneal}: wanted a fraction of the run, from 0 to 1.")


class VAE(Game):
    """Variational autoencoder. Diederik Kingma, Max Welling, 2014, arXiv 1312.6114.

    Encoder q(z|x) and decoder p(x|z) are Gaussian, their covariances diagonal. The decoder's deviation is one number
    for all pixels: the optimal sigma of Rybkin et al. 2021 (arXiv 2006.13202), estimated from each batch, or a fixed
    one. Weight beta of Higgins et al. 2017, its annealing of Bowman et al. 2016 (arXiv 1511.06349), free bits of Kingma
    et al. 2016 (arXiv 1606.04934), active units of Burda et al. 2016 (arXiv 1509.00519).
    """

    when = "To draw, interpolate and edit by a few numbers, steadily and without a duel; its pictures are soft."
    stems_from = "ae"
    Config = Settings
    tiny = Settings(z=4, width=4)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        self.E = encoder(shape, config.width, 2 * config.z)
        self.G = decoder(config.z, config.width, shape)

    def players(self) -> dict[str, Player]:
        """One player, E and G, with Adam."""
        return {"VAE": Player([self.E, self.G], partial(Adam, lr=self.config.rate), falling)}

    def turns(self) -> list[Turn]:
        """One turn."""
        return [Turn("VAE", self.loss)]

    def plan(self) -> Plan:
        """Small batches: more steps in the time."""
        return Plan(batch=32)

    def generator(self) -> Coder:
        """Samples and Encodes."""
        return Coder(Header(self.name(), self.settings(), self.shape), self.E, self.G, self.config.z)

    def loss(self, batch: Images, clock: Clock) -> Moves:
        """Equation 10 with its sign turned, one sample of z a picture, in nats a picture."""
        mean, log_variance = posterior(self.E, batch.x)
        surprise = self.surprise(batch.x, self.G(drawn(mean, log_variance)))
        divergence = KL(mean, log_variance)
        loss = surprise + self.weight(clock) * self.charged(divergence)
        return loss, {"reconstruction": surprise, "KL": divergence.sum(), "active": active(mean).float().mean()}

    def surprise(self, x: Tensor, decoded: Tensor) -> Tensor:
        """-log p(x|z), the mean over pictures: the sum over pixels of (x - x~)^2 / 2 sigma^2 + log(2 pi sigma^2) / 2.

        The likeliest sigma^2 is the mean square (Rybkin et al. 2021), at least a grey level's: the density has no
        bound.
        """
        square = (x.float() - decoded.float()).square()
        variance = square.mean().detach().clamp(min=GREY_LEVEL**2)
        if self.config.sigma:
            variance = torch.full_like(variance, self.config.sigma**2)
        return (square / variance + (2 * math.pi * variance).log()).flatten(1).sum(1).mean() / 2

    def weight(self, clock: Clock) -> float:
        """beta, which grows in proportion over the first part of the run; Bowman et al. 2016 take a sigmoid."""
        return self.config.beta * (min(1.0, clock.fraction / self.config.anneal) if self.config.anneal else 1.0)

    def charged(self, divergence: Tensor) -> Tensor:
        """The sum of max(free bits, KL), each latent a group of its own (Kingma et al. 2016)."""
        return divergence.clamp(min=self.config.free_bits).sum()


class Coder(LatentGenerator):
    """Samples and Encodes, and Judges where a discriminator comes along."""

    def __init__(self, header: Header, E: nn.Module, G: nn.Module, z_dim: int, D: nn.Module | None = None):
        super().__init__(header, G, z_dim, D)
        self.E = E

    def encode(self, x: Tensor) -> Tensor:
        """The means of q(z|x), [n, z_dim], of pictures x [n, C, H, W] in [-1, 1]."""
        return posterior(self.E, x)[0]


def posterior(E: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and logarithm of the variance of q(z|x), float32 [n, z] both."""
    mean, log_variance = E(x).float().chunk(2, dim=1)
    return mean, log_variance


def drawn(mean: Tensor, log_variance: Tensor) -> Tensor:
    """z = mu + sigma * epsilon, epsilon standard normal: equation 10, the reparametrisation."""
    return mean + (log_variance / 2).exp() * torch.randn_like(mean)


def KL(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Appendix B: the divergence of q(z|x) from N(0, 1), [z] nats for each latent, the mean over the pictures."""
    return (mean.square() + log_variance.exp() - log_variance - 1).mean(0) / 2


def active(mean: Tensor) -> Tensor:
    """bool [z]: the latents whose mean varies with the picture, by more than 0.01 in variance (Burda et al. 2016)."""
    return mean.var(0, correction=0) > ACTIVE
