"""BigGAN: pictures by label from residual networks, and a choice between typical pictures and various ones."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from zerosum.core.batch import DataShape, Images
from zerosum.core.errors import require
from zerosum.core.game import Clock, Game, Moves, Player, Turn
from zerosum.core.generator import ConditionalGenerator, Header
from zerosum.core.labels import Seen, one_hot, sizes
from zerosum.core.plan import Plan
from zerosum.layers.shapes import Crop, Reshape, doublings
from zerosum.layers.standing import take_standing_statistics
from zerosum.losses.adversarial import hinge_fake, hinge_real

ATTENDED = 64  # pixels a side of the features that attend to each other; pictures below twice that do without


@dataclass(frozen=True)
class Settings:
    """Settings of biggan."""

    z: int = 128
    """Length of the latent vector, standard normal; G's first layer and each of its blocks get a chunk of it."""
    embed: int = 64
    """Length of the labels' embedding, which all blocks of G share."""
    width: int = 32
    """Channels at the finest resolution; each halving doubles them, up to 8 times."""
    rate: float = 2e-4
    """Adam's learning rate for G."""
    ttur: float = 2.0
    """D's learning rate as a multiple of G's."""
    n_critic: int = 1
    """Moves of D to one of G, each on a batch of its own."""
    ortho: float = 1e-4
    """Weight beta of G's orthogonal regularisation; 0 for none."""

    def __post_init__(self) -> None:
        for name in ("z", "embed", "width", "rate", "ttur", "n_critic"):
            require(getattr(self, name) > 0, f"--{name} {getattr(self, name)}: wanted a number above 0.")
        require(self.ortho >= 0, f"--ortho {self.ortho}: wanted 0 or more.")


class BigGAN(Game):
    """Large scale GAN training. Andrew Brock, Jeff Donahue, Karen Simonyan, 2019, arXiv 1809.11096.

    At a small scale: its networks without their size. G is told the labels, and a chunk of z, in each of its blocks; D
    takes the labels by projection (Miyato & Koyama 2018, arXiv 1802.05637); spectral norm in both (Miyato et al. 2018,
    arXiv 1802.05957). Attention (Zhang et al. 2019, arXiv 1805.08318) at 64 pixels, in pictures of 128 and more.
    """

    when = "When labelled pictures differ much within a class, as photographs of things do, and hours are to spare."
    stems_from = "cgan"
    Config = Settings
    tiny = Settings(z=8, embed=4, width=4, n_critic=2)

    def __init__(self, config: Settings, shape: DataShape):
        super().__init__(config, shape)
        wanted = "biggan needs labels; this data has none. Put each class in a subfolder, or add a labels.csv."
        require(bool(shape.attributes), wanted)
        times, _, _ = doublings(shape)
        require(config.z > times, f"--z {config.z}: wanted at least {times + 1}, a number for each layer that is told.")
        widths = [config.width * min(8, 2**i) for i in range(times + 1)]  # fine to coarse
        self.G = BigG(config.z, config.embed, widths, shape)
        self.D = BigD(widths, shape)
        self.seen = Seen(shape.attributes)

    def players(self) -> dict[str, Player]:
        """Adam without momentum (appendix C), of two time scales (Heusel et al. 2017)."""
        adam, rate = partial(Adam, betas=(0.0, 0.999)), self.config.rate
        D = Player([self.D], partial(adam, lr=self.config.ttur * rate))
        return {"D": D, "G": Player([self.G], partial(adam, lr=rate))}

    def turns(self) -> list[Turn]:
        """D n_critic times, each on its own batch, then G."""
        return [Turn("D", self.D_loss, times=self.config.n_critic), Turn("G", self.G_loss, draws=False)]

    def plan(self) -> Plan:
        """Small batches, as cgan's: in runs of minutes the number of steps counts for more than the paper's 2,048."""
        return Plan(batch=32)

    def generator(self) -> BigGenerator:
        """Samples, Truncates, Conditions and Judges."""
        header = Header(self.name(), self.settings(), self.shape)
        return BigGenerator(header, self.G, self.config.z, self.seen, self.D)

    def fakes(self, c: Tensor) -> Tensor:
        """G(z, c) for fresh z: float [n, C, H, W] in [-1, 1], of codes c [n, all classes]."""
        return self.G(torch.randn(len(c), self.config.z, device=c.device), c)

    def D_loss(self, batch: Images, clock: Clock) -> Moves:
        """max(0, 1 - D(x, c)) + max(0, 1 + D(G(z, c), c)); fakes have the labels of the batch's reals."""
        assert batch.y is not None
        self.seen.note(batch.y)
        c = one_hot(batch.y, self.shape.attributes)
        with torch.no_grad():
            fake = self.fakes(c)
        real, made = self.D(torch.cat([batch.x, fake]), torch.cat([c, c])).chunk(2)  # in one pass: D has no batch norm
        real_loss, fake_loss = hinge_real(real), hinge_fake(made)
        return real_loss + fake_loss, {"D_real": real_loss, "D_fake": fake_loss}

    def G_loss(self, batch: Images, clock: Clock) -> Moves:
        """-D(G(z, c), c), and beta times the overlap of G's filters, equation (3)."""
        assert batch.y is not None
        c = one_hot(batch.y, self.shape.attributes)
        loss = -self.D(self.fakes(c), c).float().mean()
        if not self.config.ortho:
            return loss, {"G": loss}
        R = overlap(weight for name, weight in self.G.named_parameters() if weight.dim() > 1 and "embed" not in name)
        return loss + self.config.ortho * R, {"G": loss, "overlap": R}


class BigGenerator(ConditionalGenerator):
    """Samples, Truncates, Conditions and Judges; settled, it has standing statistics (appendix C.1): batch norm's own
    are of weights that have moved on."""

    def settled(self) -> BigGenerator:
        """A copy whose batch norms stand on 256 latents, with labels as they came."""
        settled = copy.deepcopy(self)
        take_standing_statistics(settled, settled.latents(256, seed=0).to(self.device).split(64))
        return settled


def overlap(weights: Iterable[Tensor]) -> Tensor:
    """|W W' * (1 - I)|_F^2, summed over the weights [filters, ...]: 0 where all filters of each are at right angles,
    whatever their lengths. Equation (3), without beta, in float32; of the weights that spectral norm divides.

    |W W'|_F is |W' W|_F: the smaller product is taken, and the filters' own lengths are taken away from it.
    """
    parts = []
    for W in weights:
        with torch.autocast(W.device.type, enabled=False):
            W = W.flatten(1).float()
            product = W @ W.T if len(W) <= W.shape[1] else W.T @ W
            parts.append(product.square().sum() - W.square().sum(1).square().sum())
    return torch.stack(parts).sum()


class BigG(nn.Module):
    """G(z, c) (section 3 and figure 15): the first chunk of z becomes the coarsest features, each other one goes beside
    the labels' embedding into a block. `widths`: channels, fine to coarse."""

    def __init__(self, z: int, embed: int, widths: list[int], shape: DataShape):
        super().__init__()
        times, h, w = doublings(shape)
        self.chunks = [z // (times + 1) + (i < z % (times + 1)) for i in range(times + 1)]
        self.embed = nn.Linear(sum(sizes(shape.attributes)), embed, bias=False)
        nn.init.orthogonal_(self.embed.weight)
        first = bounded(nn.Linear(self.chunks[0], widths[-1] * h * w))
        self.first = nn.Sequential(first, Reshape(widths[-1], h, w))
        looks = [attention(shape, level, widths) for level in reversed(range(times))]
        narrowing = zip(pairwise(widths[::-1]), self.chunks[1:], looks, strict=True)
        self.blocks = nn.ModuleList(Up(*channels, embed + chunk, look) for channels, chunk, look in narrowing)
        last = bounded(nn.Conv2d(widths[0], shape.channels, 3, padding=1))
        self.last = nn.Sequential(
            nn.BatchNorm2d(widths[0]), nn.ReLU(), last, Crop(shape.height, shape.width), nn.Tanh()
        )

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        first, *chunks = z.split(self.chunks, 1)
        x, embedded = self.first(first), self.embed(c)
        for block, chunk in zip(self.blocks, chunks, strict=True):
            x = block(x, torch.cat([embedded, chunk], 1))
        return self.last(x)


class ConditionalNorm(nn.Module):
    """Batch norm with gains 1 + A y and biases B y for each picture: what a block is told, y [n, told]."""

    def __init__(self, channels: int, told: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.A, self.B = (bounded(nn.Linear(told, channels, bias=False)) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.addcmul(self.B(y)[:, :, None, None], self.norm(x), 1 + self.A(y)[:, :, None, None])


class Up(nn.Module):
    """A residual block of G: features [n, wide, h, w] to [n, narrow, 2 h, 2 w], told y."""

    def __init__(self, wide: int, narrow: int, told: int, look: nn.Module):
        super().__init__()
        self.norm1, self.norm2 = ConditionalNorm(wide, told), ConditionalNorm(narrow, told)
        self.conv1, self.conv2 = (bounded(nn.Conv2d(num, narrow, 3, padding=1)) for num in (wide, narrow))
        self.skip = bounded(nn.Conv2d(wide, narrow, 1))
        self.up, self.look = nn.Upsample(scale_factor=2), look

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.conv1(self.up(F.relu(self.norm1(x, y))))
        return self.look(self.up(self.skip(x)) + self.conv2(F.relu(self.norm2(h, y))))


class Down(nn.Module):
    """A residual block of D: features [n, narrow, h, w] to [n, wide, ...], of the size that `pool` leaves."""

    def __init__(self, narrow: int, wide: int, before: nn.Module, pool: nn.Module):
        super().__init__()
        self.before, self.pool = before, pool
        self.conv1, self.conv2 = (bounded(nn.Conv2d(num, wide, 3, padding=1)) for num in (narrow, wide))
        self.skip = bounded(nn.Conv2d(narrow, wide, 1))  # after the pooling, which is the same and costs a quarter

    def forward(self, x: Tensor) -> Tensor:
        return self.skip(self.pool(x)) + self.pool(self.conv2(F.relu(self.conv1(self.before(x)))))


class BigD(nn.Module):
    """D(x, c) = (V c)' phi(x) + psi(phi(x)), where phi is a residual network's features, summed over the picture."""

    def __init__(self, widths: list[int], shape: DataShape):
        super().__init__()
        blocks: list[nn.Module] = []
        for level, (narrow, wide) in enumerate(pairwise([shape.channels, *widths])):
            before = nn.ReLU() if level else nn.Identity()  # a picture's dark half is not cut off
            halve = nn.AvgPool2d(2, ceil_mode=True) if level < len(widths) - 1 else nn.Identity()
            blocks += [Down(narrow, wide, before, halve), attention(shape, level + 1, [0, *widths])]
        self.phi = nn.Sequential(*blocks, nn.ReLU())
        self.psi = bounded(nn.Linear(widths[-1], 1))
        self.V = bounded(nn.Linear(sum(sizes(shape.attributes)), widths[-1], bias=False))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        phi = self.phi(x).sum((2, 3))
        return self.psi(phi) + (self.V(c) * phi).sum(1, keepdim=True)


class Attention(nn.Module):
    """x + gamma v(softmax(f(x)' g(x)) h(x)), gamma 0 at first (Zhang et al. 2019, equations 1 to 3); f and h are taken
    at half the resolution."""

    def __init__(self, channels: int):
        super().__init__()
        few, half = max(1, channels // 8), max(1, channels // 2)
        self.f, self.g, self.h = (bounded(nn.Conv2d(channels, num, 1)) for num in (few, few, half))
        self.v, self.gamma = bounded(nn.Conv2d(half, channels, 1)), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        maps = self.g(x), F.max_pool2d(self.f(x), 2), F.max_pool2d(self.h(x), 2)
        query, key, value = (y.flatten(2).transpose(1, 2) for y in maps)
        found = F.scaled_dot_product_attention(query, key, value, scale=1.0).transpose(1, 2)
        return x + self.gamma * self.v(found.unflatten(2, x.shape[2:]))


def attention(shape: DataShape, level: int, widths: list[int]) -> nn.Module:
    """Attention on features of so many halvings where their shorter side is ATTENDED or little more; else nothing."""
    attends = level > 0 and ATTENDED <= min(shape.height, shape.width) >> level < 2 * ATTENDED
    return Attention(widths[level]) if attends else nn.Identity()


def bounded(layer: nn.Module) -> nn.Module:
    """With orthogonal first weights (Saxe et al. 2014, arXiv 1312.6120), no bias at first, and spectral norm."""
    nn.init.orthogonal_(layer.get_parameter("weight"))
    if layer.bias is not None:
        nn.init.zeros_(layer.get_parameter("bias"))
    return spectral_norm(layer)
