"""CGAN: pictures by label, one class or many attributes at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import ConditionalGenerator, Header
from zerosum.core.labels import Seen, one_hot, sizes
from zerosum.core.plan import Plan
from zerosum.games.house import discriminator, generator
from zerosum.layers.shapes import doublings
from zerosum.losses.adversarial import says_fake, says_real
from zerosum.losses.penalties import gradient_square

LOUD = 0.25  # deviation of a class's embedding beside z's 1: told as loudly as z, each class soon becomes one picture
JOINT = 240  # units in which concat's discriminator brings picture and labels together, as in section 4.1


@dataclass(frozen=True)
class Settings:
    """Settings of cgan."""

    how: Literal["concat", "ac", "projection"] = "projection"
    """How the discriminator takes the labels: beside the picture, as what it must tell itself, or as a direction."""
    z: int = 128
    """Length of the latent vector, standard normal."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times."""
    rate: float = 4e-4
    """Adam's learning rate for both players."""
    gamma: float = 2.0
    """Weight of R1, the penalty on the discriminator's gradient at real pictures; 0 for none."""
    lazy: int = 16
    """R1 is taken in one round of so many, and weighs as many times more."""
    telling: float = 1.0
    """With ac, the weight of telling the labels."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate", "lazy"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        for name in ("gamma", "telling"):
            require(getattr(self, name) >= 0, f"--{name} {getattr(self, name)}: wanted 0 or more.")


class CGAN(Game):
    """Conditional GAN: G(z|y) against D(x|y). Mehdi Mirza, Simon Osindero, 2014, arXiv 1411.1784.

    y are one-hot codes of each attribute, side by side. `concat` is the paper's way, for the discriminator's last
    layers; `ac`, the auxiliary classifier of Odena et al. 2017 (arXiv 1610.09585); `projection`, Miyato & Koyama 2018
    (arXiv 1802.05637). Trunks, loss and lazy R1 are those of house.
    """

    when = "When pictures carry labels, by subfolder or labels.csv, and you want to ask for a class or a look."
    stems_from = "gan"
    restraint = "gamma"
    Config = Settings
    tiny = Settings(z=4, width=4, lazy=2)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        wanted = "cgan needs labels; this data has none. Put each class in a subfolder, or add a labels.csv."
        require(bool(shape.attributes), wanted)
        times, _, _ = doublings(shape)
        widths = [config.width * min(8, 2**i) for i in range(times)]  # fine to coarse
        self.G = Conditioned(config.z, widths, shape)
        self.D = {"concat": Concat, "ac": AC, "projection": Projection}[config.how](widths, shape)
        self.seen = Seen(shape.attributes)

    def players(self) -> dict[str, Player]:
        """G and D, each with Adam."""
        adam = partial(Adam, lr=self.config.rate, betas=(0.5, 0.999))
        return {"D": Player([self.D], adam), "G": Player([self.G], adam)}

    def turns(self) -> list[Turn]:
        """D, now and then its penalty, then G, all on one batch."""
        penalty = Turn("D", self.R1, draws=False, every=self.config.lazy)
        return [Turn("D", self.D_loss), *([penalty] if self.config.gamma else []), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """House's small batches."""
        return Plan(batch=32)

    def generator(self) -> ConditionalGenerator:
        """Samples, Conditions and Judges."""
        header = Header(self.name(), self.settings(), self.shape)
        return ConditionalGenerator(header, self.G, self.config.z, self.seen, self.D)

    def fakes(self, c: Tensor) -> Tensor:
        """G(z|c) for fresh z: float [n, C, H, W] in [-1, 1], of codes c [n, all classes]."""
        return self.G(torch.randn(len(c), self.config.z, device=c.device), c)

    def D_loss(self, batch: Images, clock: Clock) -> Moves:
        """-log D(x|y) - log(1 - D(G(z|y)|y)), equation (2); fakes have the labels of the batch's reals.

        With ac, less L_C, equation (3) of Odena et al.: it is to tell the labels of both.
        """
        y, c = self.labels(batch)
        self.seen.note(y)
        with torch.no_grad():
            fake = self.fakes(c)
        (real, real_told), (made, made_told) = self.D.both(batch.x, c), self.D.both(fake, c)
        real_loss, fake_loss = says_real(real), says_fake(made)
        loss, notes = real_loss + fake_loss, {"D_real": real_loss, "D_fake": fake_loss}
        if real_told is None or made_told is None:
            return loss, notes
        L_C = -self.untold(real_told, y) - self.untold(made_told, y)
        return loss - self.config.telling * L_C, notes | {"L_C": L_C}

    def R1(self, batch: Images, clock: Clock) -> Moves:
        """gamma / 2 |grad_x D(x|y)|^2 on the round's reals (Mescheder et al. 2018, equation 9), times `lazy`."""
        _, c = self.labels(batch)
        penalty = gradient_square(lambda x: self.D(x, c), batch.x)
        return self.config.lazy * self.config.gamma / 2 * penalty, {"R1": penalty}

    def G_loss(self, batch: Images, clock: Clock) -> Moves:
        """-log D(G(z|y)|y); with ac, less the fakes' part of L_C."""
        y, c = self.labels(batch)
        made, told = self.D.both(self.fakes(c), c)
        loss = says_real(made)
        notes = {"G": loss}
        return (loss, notes) if told is None else (loss + self.config.telling * self.untold(told, y), notes)

    def labels(self, batch: Images) -> tuple[Tensor, Tensor]:
        """The batch's labels, int64 [n, A], and their one-hot codes [n, all classes]."""
        assert batch.y is not None
        return batch.y, one_hot(batch.y, self.shape.attributes)

    def untold(self, told: Tensor, y: Tensor) -> Tensor:
        """Cross-entropy of the classes told, logits [n, all classes], with the true ones; summed over attributes."""
        parts = told.float().split(sizes(self.shape.attributes), 1)
        return torch.stack([F.cross_entropy(part, y[:, a]) for a, part in enumerate(parts)]).sum()


class Conditioned(nn.Module):
    """G(z, c): the labels' embedding, as long as z, goes into house's generator beside z."""

    def __init__(self, z: int, widths: list[int], shape: DataShape):
        super().__init__()
        self.embed = nn.Linear(sum(sizes(shape.attributes)), z, bias=False)
        nn.init.normal_(self.embed.weight, 0, LOUD)
        self.net = generator(2 * z, widths, shape)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return self.net(torch.cat([z, self.embed(c)], 1))


class Trunk(nn.Module):
    """House's discriminator in two: phi, the features of a picture, and psi, the linear layer that follows."""

    def __init__(self, widths: list[int], shape: DataShape):
        super().__init__()
        *trunk, psi = discriminator(widths, shape)
        assert isinstance(psi, nn.Linear)
        self.phi, self.psi = nn.Sequential(*trunk), psi
        self.num_features, self.num_classes = psi.in_features, sum(sizes(shape.attributes))

    def both(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits [n, 1] of x being real, given its codes c, and those of its labels, [n, all classes], where told."""
        return self(x, c), None


class Concat(Trunk):
    """D(x|y): features and codes, brought together by a layer of JOINT units (Mirza & Osindero, section 4.1)."""

    def __init__(self, widths: list[int], shape: DataShape):
        super().__init__(widths, shape)
        self.psi = nn.Linear(JOINT, 1)
        self.joint = nn.Linear(self.num_features + self.num_classes, JOINT)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.psi(F.leaky_relu(self.joint(torch.cat([self.phi(x), c], 1)), 0.2))


class AC(Trunk):
    """D(x) and P(y|x) from the same features (Odena et al., section 3): it is not shown the labels."""

    def __init__(self, widths: list[int], shape: DataShape):
        super().__init__(widths, shape)
        self.classes = nn.Linear(self.num_features, self.num_classes)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        return self.psi(self.phi(x))

    def both(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor | None]:
        phi = self.phi(x)
        return self.psi(phi), self.classes(phi)


class Projection(Trunk):
    """D(x|y) = y' V phi(x) + psi(phi(x)) (Miyato & Koyama, equation 4): each class is a direction of the features."""

    def __init__(self, widths: list[int], shape: DataShape):
        super().__init__(widths, shape)
        self.V = nn.Linear(self.num_classes, self.num_features, bias=False)
        nn.init.normal_(self.V.weight, 0, 1 / math.sqrt(self.num_features))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        phi = self.phi(x)
        return self.psi(phi) + (self.V(c) * phi).sum(1, keepdim=True)
