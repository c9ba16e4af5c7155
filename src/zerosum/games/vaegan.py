"""VAE-GAN: a variational autoencoder that measures likeness in what a discriminator sees, not in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header
from zerosum.core.plan import Plan
from zerosum.games.ae import decoder, encoder, trunk
from zerosum.games.vae import KL, Coder, drawn, posterior
from zerosum.layers.shapes import halved
from zerosum.layers.weights import steady_weights
from zerosum.losses.adversarial import says_fake, says_real


@dataclass(frozen=True)
class Settings:
    """Settings of vaegan."""

    z: int = 64
    """Length of the latent vector, standard normal."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times."""
    rate: float = 3e-4
    """Adam's learning rate for all three players."""
    beta1: float = 0.5
    """Adam's first moment for all three players."""
    gamma: float = 1e-2
    """Weight of likeness in the decoder's loss, against fooling the discriminator: more is truer, less is crisper."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(0 <= self.beta1 < 1, f"--beta1 {self.beta1}: wanted at least 0 and less than 1.")
        require(self.gamma >= 0, f"--gamma {self.gamma}: wanted 0 or more.")


class VAEGAN(Game):
    """VAE and GAN in one. Anders Boesen Lindbo Larsen, Soren Kaae Sonderby, Hugo Larochelle, Ole Winther, 2016.

    "Autoencoding beyond pixels using a learned similarity metric", arXiv 1512.09300, algorithm 1: three players move
    together from one forward pass, each by its own loss alone. The paper's Enc, Dec and Dis are E, G and D. It departs
    from the paper in G's adversarial loss, which is the non-saturating one (Goodfellow et al. 2014, section 3), in Adam
    for RMSProp, in a discriminator without norms, and in batches of 32: twice the steps in the time.
    """

    when = "To edit faces and the like by attributes: crisper than vae, and with an encoder, which other GANs lack."
    stems_from = "vae"
    Config = Settings
    tiny = Settings(z=4, width=4)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        self.E = encoder(shape, config.width, 2 * config.z)
        self.G = decoder(config.z, config.width, shape)
        self.D = discriminator(shape, config.width)

    def players(self) -> dict[str, Player]:
        """E, G and D, each with Adam."""
        adam = partial(Adam, lr=self.config.rate, betas=(self.config.beta1, 0.999))
        return {"E": Player([self.E], adam), "G": Player([self.G], adam), "D": Player([self.D], adam)}

    def turns(self) -> list[Turn]:
        """One turn, in which all move."""
        return [Turn(("E", "G", "D"), self.losses)]

    def plan(self) -> Plan:
        """Half the paper's batch: more steps in the time."""
        return Plan(batch=32)

    def generator(self) -> Coder:
        """Samples, Encodes and Judges."""
        return Coder(Header(self.name(), self.settings(), self.shape), self.E, self.G, self.config.z, self.D)

    def losses(self, batch: Images, clock: Clock) -> Moves:
        """Algorithm 1. D sees x, its reconstruction x~ and x_p, made from the prior, in one batch."""
        mean, log_variance = posterior(self.E, batch.x)
        z = drawn(mean, log_variance)
        x_, x_p = self.G(torch.cat([z, torch.randn_like(z)])).chunk(2)
        seen = self.D[0](torch.cat([batch.x, x_, x_p]))
        real, again, made = self.D[1](seen).chunk(3)
        prior, unlike = KL(mean, log_variance).sum(), self.unlike(*seen.chunk(3)[:2])
        real_loss, fake_loss = says_real(real), says_fake(again) + says_fake(made)
        fooling = says_real(again) + says_real(made)
        losses = {"E": prior + unlike, "G": self.config.gamma * unlike + fooling, "D": real_loss + fake_loss}
        return losses, {"D_real": real_loss, "D_fake": fake_loss / 2, "G": fooling / 2, "KL": prior, "unlike": unlike}

    def unlike(self, seen: Tensor, again: Tensor) -> Tensor:
        """-log p(Dis_l(x)|z), equation 7, less its constant: half the squared distance, mean over pictures."""
        return (seen.float() - again.float()).square().flatten(1).sum(1).mean() / 2


def discriminator(shape: DataShape, width: int) -> nn.Sequential:
    """From pictures to logits [n, 1] in two parts: strided convolutions down to Dis_l, the last map but one, and on.

    The paper's Dis_l is of 8 x 8 pixels; so is this at 32 and 64 pixels a side. Without the paper's batch norms, whose
    statistics would tell a batch's three kinds of pictures apart; initialised to keep the variance (He et al. 2015).
    """
    widths = trunk(shape, width)
    h, w = halved(shape.height, len(widths)), halved(shape.width, len(widths))
    blocks = [
        nn.Sequential(nn.Conv2d(narrow, wide, 4, 2, 1), nn.LeakyReLU(0.2))
        for narrow, wide in pairwise([shape.channels, *widths])
    ]
    rest = nn.Sequential(blocks[-1], nn.Flatten(), nn.Linear(widths[-1] * h * w, 1))
    return nn.Sequential(nn.Sequential(*blocks[:-1]), rest).apply(steady_weights)
