"""DCGAN: a convolutional generator against a convolutional discriminator.

Two pairs of networks: `radford`, of the paper; `keras`, of the animated-faces tutorial, with that tutorial's three
steps an iteration, soft labels and budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.layers.shapes import Crop, Reshape, doublings, halved
from zerosum.losses.adversarial import says_fake, says_real
from zerosum.losses.levers import UNTOUCHED, Levers


@dataclass(frozen=True)
class Settings:
    """Settings of dcgan."""

    network: Literal["radford", "keras"] = "radford"
    """The paper's networks and rules, or the animated-faces tutorial's."""
    z: int = 100
    """Length of the latent vector, standard normal."""
    width: int = 64
    """Channels at the finest resolution of radford's networks; each halving doubles them, up to 8 times."""
    rate: float = 2e-4
    """Adam's learning rate for both players."""
    beta1: float = 0.5
    """Adam's first moment for both players."""
    levers: Levers = UNTOUCHED
    """Levers of balance, and against collapse, for radford."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(0 <= self.beta1 < 1, f"--beta1 {self.beta1}: wanted at least 0 and less than 1.")
        plain = self.network == "radford" or vars(self.levers) == vars(UNTOUCHED)  # the parser's have a class of theirs
        require(plain, "--network keras is the tutorial's to the letter and has no levers: choose radford.")


class DCGAN(Game):
    """Deep convolutional GAN. Alec Radford, Luke Metz, Soumith Chintala, 2016, arXiv 1511.06434.

    Radford's networks and training details are those of section 4, figure 1 and "Details of adversarial training";
    z is normal where the paper's is uniform, and a batch has 64 pictures for its 128: twice the steps in the time.
    """

    when = "To learn, to compare, to reproduce. For your own pictures in minutes, house."
    stems_from = "gan"
    restraint: str | None = "levers.r1"
    Config = Settings
    tiny = Settings(z=8, width=4)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        build = {"radford": radford, "keras": keras}[config.network]
        self.G, self.D = build(config, shape)
        self.levers, self.past = config.levers, config.levers.memory(shape)
        self.restraint = None if config.network == "keras" else self.restraint

    def players(self) -> dict[str, Player]:
        """G and D, each with Adam."""
        eps = 1e-7 if self.config.network == "keras" else 1e-8  # the libraries' own defaults
        adam, rate = partial(Adam, betas=(self.config.beta1, 0.999), eps=eps), self.config.rate
        D = Player([self.D], partial(adam, lr=self.levers.ttur * rate))
        return {"D": D, "G": Player([self.G], partial(adam, lr=rate))}

    def turns(self) -> list[Turn]:
        """The paper moves D once and G once; the tutorial moves D on reals, then on fakes, then G."""
        if self.config.network == "keras":
            return [
                Turn("D", self.soft_real_loss),
                Turn("D", self.soft_fake_loss, draws=False),
                Turn("G", self.soft_G_loss, draws=False),
            ]
        D = Turn("D", self.D_loss, times=self.levers.n_critic)
        return [D, *self.levers.penalties(self.penalty), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """The tutorial's 10,000 iterations of 128 pictures drawn with replacement; else batches of 64."""
        if self.config.network == "keras":
            budget = Plan(images=1_280_000, batch=128, order="replacement", average=0)
            return replace(budget, log=128, grid=50 * 128, save=500 * 128, keep=20)
        return Plan(batch=64)

    def generator(self) -> LatentGenerator:
        """Samples and Judges."""
        return LatentGenerator(Header(self.name(), self.settings(), self.shape), self.G, self.config.z, self.D)

    def z(self, n: int) -> Tensor:
        """n fresh latents, float [n, z], standard normal."""
        return torch.randn(n, self.config.z, device=next(self.G.parameters()).device)

    def fakes(self, n: int) -> Tensor:
        """G(z) for n fresh z: float [n, C, H, W] in [-1, 1]."""
        return self.G(self.z(n))

    def D_loss(self, batch: Images, clock: Clock) -> Moves | None:
        """Goodfellow 2014, algorithm 1: -log D(x) - log(1 - D(G(z)))."""
        with torch.no_grad():
            fake = self.past(self.fakes(len(batch)))
        real, fake = (self.D(self.levers.noisy(x, clock)) for x in (batch.x, fake))
        if self.levers.D_wins(real, fake):
            return None
        real_loss, fake_loss = says_real(real, self.levers.real), says_fake(fake, self.levers.fake)
        return real_loss + fake_loss, {"D_real": real_loss, "D_fake": fake_loss}

    def penalty(self, batch: Images, clock: Clock) -> Moves:
        """R1 and R2, where their levers are pulled."""
        return self.levers.penalty(self.D, batch.x, self.fakes)

    def G_loss(self, batch: Images, clock: Clock) -> Moves:
        """The non-saturating loss -log D(G(z))."""
        z = self.z(len(batch))
        fake = self.G(z)
        loss = says_real(self.D(self.levers.noisy(fake, clock)))
        return loss + self.levers.sought(z, fake), {"G": loss}

    def soft_real_loss(self, batch: Images, clock: Clock) -> Moves:
        """The tutorial's first step: reals, targets 1 - U(0, 0.2)."""
        logits = self.D(batch.x)
        loss = says_real(logits, 1 - noise_like(logits))
        return loss, {"D_real": loss}

    def soft_fake_loss(self, batch: Images, clock: Clock) -> Moves:
        """Its second step: fakes, targets U(0, 0.2)."""
        with torch.no_grad():
            fake = self.fakes(len(batch))
        logits = self.D(fake)
        loss = says_real(logits, noise_like(logits))
        return loss, {"D_fake": loss}

    def soft_G_loss(self, batch: Images, clock: Clock) -> Moves:
        """Its third step: G through a fixed D, targets of the reals' distribution, 1 - U(0, 0.2)."""
        logits = self.D(self.fakes(len(batch)))
        loss = says_real(logits, 1 - noise_like(logits))
        return loss, {"G": loss}


def noise_like(logits: Tensor) -> Tensor:
    """U(0, 0.2), float32, of the same shape."""
    return 0.2 * torch.rand(logits.shape, device=logits.device)


def radford(config: Settings, shape: DataShape) -> tuple[nn.Module, nn.Module]:
    """G and D of figure 1 and section 3: strided convolutions, batch norm save at D's input and G's output.

    Other sizes than 64 x 64 take more or fewer doublings from the smallest map of at least 4 pixels a side.
    """
    times, h, w = doublings(shape)
    widths = [config.width * min(8, 2**i) for i in range(times)]  # fine to coarse
    top = widths[-1]
    up: list[nn.Module] = [nn.Linear(config.z, top * h * w, bias=False), Reshape(top, h, w), *normed(top, nn.ReLU())]
    for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
        up += [nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False), *normed(narrow, nn.ReLU())]
    up += [nn.ConvTranspose2d(widths[0], shape.channels, 4, 2, 1), Crop(shape.height, shape.width), nn.Tanh()]
    seen = config.levers.seen(shape)
    down: list[nn.Module] = [nn.Conv2d(seen.channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
    for narrow, wide in pairwise(widths):
        down += [nn.Conv2d(narrow, wide, 4, 2, 1, bias=False), *normed(wide, nn.LeakyReLU(0.2))]
    h, w = halved(shape.height, times), halved(shape.width, times)
    down += [nn.Flatten(), *config.levers.verdict(top * h * w)]
    G, D = nn.Sequential(*up).apply(normal_weights), nn.Sequential(*down).apply(normal_weights)
    return G, config.levers.judge(D)


def normed(channels: int, activation: nn.Module) -> list[nn.Module]:
    """Batch norm and an activation."""
    return [nn.BatchNorm2d(channels), activation]


def normal_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), those of batch norms from N(1, 0.02); zero biases."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
    for name, parameter in module.named_parameters(recurse=False):
        if name == "bias":
            nn.init.zeros_(parameter)


def keras(config: Settings, shape: DataShape) -> tuple[nn.Module, nn.Module]:
    """The animated-faces tutorial's networks: 7,914,499 and 1,235,969 parameters at 64 x 64 x 3.

    "Same" padding of an even kernel puts the odd row and column at the end, as Keras does.
    """
    smallest = min(shape.height, shape.width)
    require(smallest >= 29, f"--network keras needs at least 29 pixels a side, not {smallest}: choose radford.")
    h, w = -(-shape.height // 4), -(-shape.width // 4)
    G = nn.Sequential(
        *(nn.Linear(config.z, 128 * h * w), Reshape(128, h, w), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(128, 256, 5, padding=2), nn.LeakyReLU(0.2)),
        *(nn.ConvTranspose2d(256, 256, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.ConvTranspose2d(256, 256, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(256, 256, 5, padding=2), nn.LeakyReLU(0.2)),
        *(nn.ZeroPad2d((3, 4, 3, 4)), nn.Conv2d(256, shape.channels, 8)),
        *(Crop(shape.height, shape.width), nn.Tanh()),
    )
    h, w = shape.height, shape.width
    for _ in range(3):
        h, w = (h - 5) // 2 + 1, (w - 5) // 2 + 1  # valid convolutions: 64, 30, 13, 5
    D = nn.Sequential(
        *(nn.Conv2d(shape.channels, 128, 3, padding=1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(128, 128, 5, 2), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(128, 128, 5, 2), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(128, 128, 5, 2), nn.LeakyReLU(0.2)),
        *(nn.Flatten(), nn.Dropout(0.4), nn.Linear(128 * h * w, 1)),
    )
    return G.apply(glorot_weights), D.apply(glorot_weights)


def glorot_weights(module: nn.Module) -> None:
    """Glorot's uniform weights and zero biases, Keras's defaults."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.get_parameter("bias"))
