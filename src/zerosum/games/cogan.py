"""CoGAN: two generators that share their first layers learn couples of pictures from two sets without pairs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import Adam

from zerosum.core.batch import DataShape, Unpaired
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import Header, LatentGenerator
from zerosum.core.plan import Plan
from zerosum.games.dcgan import normal_weights
from zerosum.layers.shapes import Crop, Reshape, doublings, halved
from zerosum.layers.weights import steady_weights
from zerosum.losses.adversarial import says_fake, says_real

SMALLEST = 3  # pixels a side, where the networks are coarsest: MNIST's 28 then halve three times


@dataclass(frozen=True)
class Settings:
    """Settings of cogan."""

    z: int = 100
    """Length of the latent vector, standard normal; both generators take the same."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times."""
    rate: float = 2e-4
    """Adam's learning rate for both players."""
    beta1: float = 0.5
    """Adam's first moment for both players."""
    shared: bool = True
    """Whether the two generators share all but their last layers, and the two discriminators all but their first."""

    def __post_init__(self) -> None:
        for name in ("z", "width", "rate"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(0 <= self.beta1 < 1, f"--beta1 {self.beta1}: wanted at least 0 and less than 1.")


class CoGAN(Game):
    """Coupled GANs. Ming-Yu Liu, Oncel Tuzel, 2016, arXiv 1606.07536.

    Two GANs, one for each of two domains, play side by side. What the first layers of the generators make of z, what a
    picture is about, is shared; each domain's last layers render it. So g1(z) and g2(z) belong together, though no
    pair was ever shown. The constrained game of section 3, with strided networks for the paper's max-pooling and PReLU.
    """

    when = "For two sets of pictures of one kind, such as faces without and with glasses, of which none come in pairs."
    stems_from = "gan"
    Config = Settings
    tiny = Settings(z=8, width=4)
    plays_on = Unpaired

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        times, _, _ = doublings(shape, SMALLEST)
        widths = [config.width * min(8, 2**i) for i in range(times)]  # fine to coarse
        num = 1 if config.shared else 2
        self.G = Generators([trunk(config.z, widths, shape) for _ in range(num)], alike(head(widths, shape)))
        self.D = Discriminators(alike(eye(widths, shape)), [mind(widths, shape) for _ in range(num)])

    def players(self) -> dict[str, Player]:
        """Both generators are one player, and both discriminators the other: what is shared is moved by both losses."""
        adam = partial(Adam, lr=self.config.rate, betas=(self.config.beta1, 0.999))
        return {"D": Player([self.D], adam), "G": Player([self.G], adam)}

    def turns(self) -> list[Turn]:
        """D once and G once, on one batch."""
        return [Turn("D", self.D_loss), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """Batches of 64 of each domain."""
        return Plan(batch=64)

    def generator(self) -> Couples:
        """Samples couples."""
        return Couples(Header(self.name(), self.settings(), self.shape), self.G, self.config.z)

    def fakes(self, n: int) -> tuple[Tensor, Tensor]:
        """g1(z) and g2(z) for n fresh z: float [n, C, H, W] in [-1, 1] both."""
        return self.G(torch.randn(n, self.config.z, device=next(self.G.parameters()).device))

    def D_loss(self, batch: Unpaired, clock: Clock) -> Moves:
        """Section 3's value function: -log f1(x1) - log(1 - f1(g1(z))), and the same of f2, x2 and g2 with this z."""
        with torch.no_grad():
            fakes = self.fakes(len(batch))
        real_loss = sum_of(says_real, self.D(batch.x, batch.y))
        fake_loss = sum_of(says_fake, self.D(*fakes))
        return real_loss + fake_loss, {"D_real": real_loss / 2, "D_fake": fake_loss / 2}

    def G_loss(self, batch: Unpaired, clock: Clock) -> Moves:
        """The non-saturating loss, -log f1(g1(z)) - log f2(g2(z))."""
        loss = sum_of(says_real, self.D(*self.fakes(len(batch))))
        return loss, {"G": loss / 2}


def sum_of(loss: Callable[[Tensor], Tensor], logits: tuple[Tensor, Tensor]) -> Tensor:
    """The loss of the first domain's logits and of the second's, added."""
    return loss(logits[0]) + loss(logits[1])


class Generators(nn.Module):
    """g1 and g2: one trunk for both, or one each, and a head for each domain."""

    def __init__(self, trunks: list[nn.Module], heads: list[nn.Module]):
        super().__init__()
        self.trunks, self.heads = nn.ModuleList(trunks), nn.ModuleList(heads)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """A picture of each domain, float [n, C, H, W] in [-1, 1], from z [n, z]."""
        features = [trunk(z) for trunk in self.trunks]
        return self.heads[0](features[0]), self.heads[1](features[-1])


class Discriminators(nn.Module):
    """f1 and f2: eyes for each domain, and one mind for both, or one each."""

    def __init__(self, eyes: list[nn.Module], minds: list[nn.Module]):
        super().__init__()
        self.eyes, self.minds = nn.ModuleList(eyes), nn.ModuleList(minds)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n, 1] of pictures of the first domain and of the second, float [n, C, H, W] in [-1, 1]."""
        return self.minds[0](self.eyes[0](x)), self.minds[-1](self.eyes[1](y))


class Couples(LatentGenerator):
    """Samples: row i of the latents is z number i // 2 and, in a last column, the domain i % 2.

    So pictures come in couples, side by side in a grid, and half of them are of either domain.
    """

    abreast = 2

    def latents(self, n: int, seed: int) -> Tensor:
        """float32 [n, z_dim + 1]; the last column is 0 for the first domain and 1 for the second."""
        z = super().latents(-(-n // 2), seed).repeat_interleave(2, 0)[:n]
        return torch.cat([z, (torch.arange(n) % 2)[:, None]], 1)

    def forward(self, z: Tensor) -> Tensor:
        """float [n, C, H, W] in [-1, 1], each of its domain; on a walk between the two, it changes on the way."""
        x, y = self.G(z[:, :-1])
        return torch.where(z[:, -1, None, None, None] < 0.5, x, y)


def alike(net: nn.Module) -> list[nn.Module]:
    """A net for each domain, which begin with the same weights.

    So a feature means the same colour and place to both until the sets tell them otherwise. Two that began apart could
    please their discriminators with colours exchanged: to them any couple is as good as another.
    """
    return [net, deepcopy(net)]


def trunk(z: int, widths: list[int], shape: DataShape) -> nn.Sequential:
    """From z [n, z] to features [n, widths[0], H / 2, W / 2] or a little more: a dense layer, then doublings."""
    _, h, w = doublings(shape, SMALLEST)
    layers: list[nn.Module] = [nn.Linear(z, widths[-1] * h * w, bias=False), Reshape(widths[-1], h, w)]
    for wide, narrow in pairwise(widths[::-1]):
        layers += [nn.BatchNorm2d(wide), nn.ReLU(), nn.ConvTranspose2d(wide, narrow, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.BatchNorm2d(widths[0]), nn.ReLU()).apply(normal_weights)


def head(widths: list[int], shape: DataShape) -> nn.Sequential:
    """From the trunk's features to pictures in [-1, 1]: the last doubling, and what paints."""
    return nn.Sequential(
        *(nn.ConvTranspose2d(widths[0], widths[0], 4, 2, 1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()),
        *(nn.Conv2d(widths[0], shape.channels, 3, padding=1), Crop(shape.height, shape.width), nn.Tanh()),
    ).apply(normal_weights)


def eye(widths: list[int], shape: DataShape) -> nn.Sequential:
    """From pictures to features of half the size."""
    return nn.Sequential(nn.Conv2d(shape.channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)).apply(steady_weights)


def mind(widths: list[int], shape: DataShape) -> nn.Sequential:
    """From an eye's features to logits [n, 1]: halvings. Without norms, which would mix the two domains' statistics."""
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(widths):
        layers += [nn.Conv2d(narrow, wide, 4, 2, 1), nn.LeakyReLU(0.2)]
    h, w = halved(shape.height, len(widths)), halved(shape.width, len(widths))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[-1] * h * w, 1)).apply(steady_weights)
